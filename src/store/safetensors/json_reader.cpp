// SPDX-License-Identifier: Apache-2.0
#include "store/safetensors/json_reader.h"

#include <fmt/format.h>

#include <new>
#include <stdexcept>
#include <utility>

namespace gpuio::store {

Status JsonReader::read(std::string_view text) {
  // The parser takes a zero byte for the end of its input and would not look at what follows.
  const std::size_t zero = text.find('\0');
  if (zero != std::string_view::npos) return Status(Code::corrupt, fmt::format("not JSON: a zero byte at {}", zero));
  nlohmann::json_sax<nlohmann::json>* const events = this;
  try {
    if (!nlohmann::json::sax_parse(text.data(), text.data() + text.size(), events)) return std::move(failure_);
  } catch (const std::bad_alloc&) {
    return Status(Code::out_of_memory, "no memory to read the JSON text");
  } catch (const std::length_error&) {
    return Status(Code::out_of_memory, "no memory to read the JSON text");
  }
  return {};
}

bool JsonReader::fail(std::string what) { return fail(Status(Code::corrupt, std::move(what))); }

bool JsonReader::fail(Status status) {
  failure_ = std::move(status);
  return false;
}

bool JsonReader::parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) {
  const bool utf8 = std::string_view(error.what()).find("UTF-8") != std::string_view::npos;
  return fail(fmt::format("{} near byte {}", utf8 ? "not UTF-8" : "not JSON", position));
}

std::string_view shown(std::string_view name) noexcept {
  constexpr std::size_t kShownBytes = 128;
  if (name.size() <= kShownBytes) return name;
  std::size_t end = kShownBytes;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0U) == 0x80U) --end;  // Not inside a UTF-8 sequence.
  return name.substr(0, end);
}

}  // namespace gpuio::store
