// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/parameters.h"

#include <array>
#include <bit>
#include <charconv>
#include <string_view>

#include "base/try.h"
#include "base/units.h"

namespace gpuio::mem {
namespace {

constexpr std::size_t kNameBytesMax = 200;
constexpr int kNodeMax = 1023;

Result<bool> parse_boolean(const std::string& text) {
  if (text == "yes") return true;
  if (text == "no") return false;
  return Status(Code::invalid_argument, "expected yes or no");
}

Result<HugePages> parse_huge(const std::string& text) {
  if (text == "no") return HugePages::no;
  if (text == "transparent") return HugePages::transparent;
  if (text == "2MiB") return HugePages::two_mib;
  if (text == "1GiB") return HugePages::one_gib;
  return Status(Code::invalid_argument, "expected no, transparent, 2MiB or 1GiB");
}

Result<int> parse_node(const std::string& text) {
  int node = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), node);
  if (error != std::errc() || end != text.data() + text.size() || node < 0 || node > kNodeMax) {
    return Status(Code::invalid_argument, "expected the number of a NUMA node");
  }
  return node;
}

Result<std::string> parse_name(const std::string& text) {
  if (text.empty() || text.size() > kNameBytesMax || text.front() == '.' || text.find('/') != std::string::npos) {
    return Status(Code::invalid_argument, "a name has 1 to 200 bytes, no slash, and starts with no dot");
  }
  return text;
}

Result<std::uint64_t> parse_page(const std::string& text) {
  GPUIO_ASSIGN(const std::uint64_t bytes, base::parse_size(text));
  if (!std::has_single_bit(bytes) || bytes < 4 * base::kKiB || bytes > base::kGiB) {
    return Status(Code::invalid_argument, "expected a power of two from 4KiB to 1GiB");
  }
  return bytes;
}

struct Reader {
  std::string_view scheme;
  std::string_view key;
  Status (*read)(const std::string& text, Parameters& parameters);
};

constexpr std::array kReaders{
    Reader{"mem", "size",
           [](const std::string& text, Parameters& parameters) -> Status {
             GPUIO_ASSIGN(parameters.size_bytes, base::parse_size(text));
             return {};
           }},
    Reader{"mem", "name",
           [](const std::string& text, Parameters& parameters) -> Status {
             GPUIO_ASSIGN(parameters.name, parse_name(text));
             return {};
           }},
    Reader{"mem", "huge",
           [](const std::string& text, Parameters& parameters) -> Status {
             GPUIO_ASSIGN(parameters.huge, parse_huge(text));
             return {};
           }},
    Reader{"mem", "numa",
           [](const std::string& text, Parameters& parameters) -> Status {
             GPUIO_ASSIGN(parameters.numa_node, parse_node(text));
             return {};
           }},
    Reader{"mem", "reserve",
           [](const std::string& text, Parameters& parameters) -> Status {
             GPUIO_ASSIGN(parameters.reserve_bytes, base::parse_size(text));
             return {};
           }},
    Reader{"mem", "temporary",
           [](const std::string& text, Parameters& parameters) -> Status {
             GPUIO_ASSIGN(parameters.temporary, parse_boolean(text));
             return {};
           }},
    Reader{"cxl", "page",
           [](const std::string& text, Parameters& parameters) -> Status {
             GPUIO_ASSIGN(parameters.page_bytes, parse_page(text));
             return {};
           }},
    Reader{"cxl", "coherent",
           [](const std::string& text, Parameters& parameters) -> Status {
             GPUIO_ASSIGN(parameters.coherent, parse_boolean(text));
             return {};
           }},
};

Status unknown(const spi::Uri& uri, std::string_view key) {
  std::string known;
  for (const Reader& reader : kReaders) {
    if (reader.scheme == uri.scheme) known.append(known.empty() ? "" : ", ").append(reader.key);
  }
  return Status(Code::invalid_argument, "unknown parameter; there are: " + known).with("parameter", key);
}

Status read_one(const spi::Uri& uri, const std::string& key, const std::string& value, Parameters& parameters) {
  for (const Reader& reader : kReaders) {
    if (reader.scheme == uri.scheme && reader.key == key) return reader.read(value, parameters).with("parameter", key);
  }
  return unknown(uri, key);
}

}  // namespace

std::uint64_t page_bytes_of(HugePages pages) noexcept {
  if (pages == HugePages::two_mib) return 2 * base::kMiB;
  return pages == HugePages::one_gib ? base::kGiB : 0;
}

Result<Parameters> read_parameters(const spi::Uri& uri) {
  Parameters parameters;
  for (const auto& [key, value] : uri.parameters) {
    GPUIO_TRY(read_one(uri, key, value, parameters).with("uri", uri.text));
  }
  return parameters;
}

}  // namespace gpuio::mem
