// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "gpuio/status.hpp"

namespace gpuio::store {

/// Reads one JSON text event by event, so that a reader keeps only what it asks for and sees keys that occur twice.
///
/// A reader overrides the events it accepts; every other event ends the reading through `unexpected`. Memory is bounded
/// by what the reader keeps plus one string and one bit per open bracket. Use each reader once; not thread-safe.
class JsonReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  /// Fails with `corrupt` (the first rule broken; not JSON; not UTF-8), or with `out_of_memory`.
  [[nodiscard]] Status read(std::string_view text);

 protected:
  /// Ends the reading with `corrupt`. Returns false, which is what an event returns to stop.
  bool fail(std::string what);
  bool fail(Status status);

  /// An event that has no place where it occurs; `found` as in "a number". Ends the reading.
  virtual bool unexpected(std::string_view found) = 0;

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("true or false"); }
  bool number_integer(number_integer_t) override { return unexpected("a negative number"); }
  bool number_unsigned(number_unsigned_t) override { return unexpected("a number"); }
  bool number_float(number_float_t, const string_t&) override {
    return unexpected("a number that is no 64-bit integer");
  }
  bool string(string_t&) override { return unexpected("a string"); }
  bool binary(binary_t&) override { return unexpected("binary data"); }
  bool start_object(std::size_t) override { return unexpected("an object"); }
  bool start_array(std::size_t) override { return unexpected("a list"); }
  bool end_object() override { return true; }
  bool end_array() override { return true; }

 private:
  bool parse_error(std::size_t position, const std::string& token, const nlohmann::json::exception& error) override;

  Status failure_;
};

/// A name as an error may show it: cut where it is long.
[[nodiscard]] std::string_view shown(std::string_view name) noexcept;

}  // namespace gpuio::store
