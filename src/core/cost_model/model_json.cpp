// SPDX-License-Identifier: Apache-2.0
// A model as JSON and back.
#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/checksum.h"
#include "core/cost_model/model_fields.h"

namespace gpuio {
namespace {

/// Keeps keys in their order, so that a checksum of the text is one of the object.
using Json = nlohmann::ordered_json;

constexpr std::string_view kSchema = "gpuio.cost_model/1";
constexpr std::string_view kSchemaFamily = "gpuio.cost_model/";

template <class T>
constexpr bool kIsPlain = std::is_arithmetic_v<T> || std::is_same_v<T, std::string>;

class Writer {
 public:
  template <class T>
  static Json json_of(const T& value) {
    if constexpr (kIsPlain<T>) {
      return value;
    } else {
      Writer writer;
      core::fields_of(writer, value);
      return std::move(writer.object_);
    }
  }
  template <class T>
  static Json json_of(const std::vector<T>& values) {
    Json list = Json::array();
    for (const T& value : values) list.push_back(json_of(value));
    return list;
  }

  template <class T>
  void operator()(std::string_view name, const T& value) {
    object_[std::string(name)] = json_of(value);
  }

 private:
  Json object_ = Json::object();
};

/// Reads one object; the first thing wrong with it, or below it, stays.
class Reader {
 public:
  Reader(const Json& object, std::string path) : object_(object), path_(std::move(path)) {}

  template <class T>
  void operator()(std::string_view name, T& value) {
    if (!status_.ok()) return;
    const std::string path = path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
    const auto found = object_.find(std::string(name));
    status_ = found == object_.end() ? wrong("a field is missing", path) : read(*found, path, value);
  }

  template <class T>
  static Status read(const Json& json, const std::string& path, T& value) {
    if constexpr (kIsPlain<T>) {
      return read_plain(json, path, value);
    } else {
      if (!json.is_object()) return wrong("not an object", path);
      Reader reader(json, path);
      core::fields_of(reader, value);
      return std::move(reader.status_);
    }
  }
  template <class T>
  static Status read(const Json& json, const std::string& path, std::vector<T>& values) {
    if (!json.is_array()) return wrong("not a list", path);
    for (const Json& entry : json) {
      const std::string entry_path = fmt::format("{}[{}]", path, values.size());
      Status status = read(entry, entry_path, values.emplace_back());
      if (!status.ok()) return status;
    }
    return {};
  }

 private:
  static Status wrong(std::string_view what, std::string_view path) {
    return Status(Code::corrupt, "not a cost model: " + std::string(what)).with("field", path);
  }

  static Status read_plain(const Json& json, const std::string& path, std::string& value) {
    if (!json.is_string()) return wrong("not a text", path);
    value = json.get_ref<const std::string&>();
    return {};
  }
  static Status read_plain(const Json& json, const std::string& path, bool& value) {
    if (!json.is_boolean()) return wrong("not true or false", path);
    value = json.get<bool>();
    return {};
  }
  /// Rates and times: nothing here is negative, and a planner that divides by them must not meet infinity.
  static Status read_plain(const Json& json, const std::string& path, double& value) {
    if (!json.is_number()) return wrong("not a number", path);
    value = json.get<double>();
    return std::isfinite(value) && value >= 0 ? Status() : wrong("a number that can't be", path);
  }
  static Status read_plain(const Json& json, const std::string& path, std::uint64_t& value) {
    if (!json.is_number_unsigned()) return wrong("not a whole number", path);
    value = json.get<std::uint64_t>();
    return {};
  }
  static Status read_plain(const Json& json, const std::string& path, int& value) {
    std::uint64_t number = 0;
    Status status = read_plain(json, path, number);
    if (status.ok() && number > std::numeric_limits<int>::max()) status = wrong("a number that can't be", path);
    value = status.ok() ? static_cast<int>(number) : 0;
    return status;
  }

  const Json& object_;
  std::string path_;
  Status status_;
};

/// Of the model without white space; as text, so that nobody takes it for a measurement.
std::string checksum_of(const Json& model) {
  const std::string text = model.dump(-1, ' ', false, Json::error_handler_t::replace);
  return fmt::format("{:08x}", base::crc32c(std::as_bytes(std::span(text))));
}

Status check_envelope(const Json& file) {
  const auto text = [&file](const char* name) {
    const auto found = file.is_object() ? file.find(name) : file.end();
    return found != file.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const std::string schema = text("schema");
  if (schema != kSchema && schema.starts_with(kSchemaFamily)) {
    return Status(Code::unsupported, fmt::format("a cost model of another version of GPUIO ({})", schema));
  }
  if (schema != kSchema || !file.contains("model")) return Status(Code::corrupt, "not a cost model");
  if (text("crc32c") != checksum_of(file["model"])) {
    return Status(Code::corrupt, "the cost model is damaged: its checksum differs");
  }
  return {};
}

}  // namespace

std::string CostModel::to_json() const {
  const Json model = Writer::json_of(*this);
  const Json file = {{"schema", kSchema}, {"crc32c", checksum_of(model)}, {"model", model}};
  constexpr int kIndent = 1;
  return file.dump(kIndent, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<CostModel> CostModel::from_json(std::string_view text) {
  // The parser takes a zero byte for the end of its input and would not look at what follows.
  if (text.find('\0') != std::string_view::npos) return Status(Code::corrupt, "not JSON: a zero byte");
  try {
    constexpr bool kThrows = false;
    const Json file = Json::parse(text, nullptr, kThrows);
    if (file.is_discarded()) return Status(Code::corrupt, "the cost model is damaged: not JSON");
    Status status = check_envelope(file);
    CostModel model;
    if (status.ok()) status = Reader::read(file["model"], "", model);
    if (!status.ok()) return status;
    return model;
  } catch (const std::bad_alloc&) {
    return Status(Code::out_of_memory, "no memory to read the cost model");
  }
}

}  // namespace gpuio
