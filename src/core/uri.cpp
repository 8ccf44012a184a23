// SPDX-License-Identifier: Apache-2.0
#include "core/uri.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "base/try.h"

namespace gpuio::core {
namespace {

Status bad_uri(std::string_view uri, std::string why) {
  return Status(Code::invalid_argument, std::move(why)).with("uri", uri);
}

Result<std::string> percent_decode(std::string_view text, std::string_view uri) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    unsigned value = 0;
    const char* begin = text.data() + i + 1;
    const char* end = text.data() + std::min(text.size(), i + 3);
    if (end - begin != 2 || std::from_chars(begin, end, value, 16).ptr != end) {
      return bad_uri(uri, "a % must be followed by two hexadecimal digits");
    }
    if (value == 0) return bad_uri(uri, "%00 can't be part of a name");
    decoded.push_back(static_cast<char>(value));
    i += 2;
  }
  return decoded;
}

Status parse_parameters(std::string_view query, std::string_view text, spi::Uri& uri) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return bad_uri(text, "parameters have the form key=value").with("parameter", pair);
    }
    GPUIO_ASSIGN(std::string value, percent_decode(pair.substr(equals + 1), text));
    uri.parameters.emplace_back(pair.substr(0, equals), std::move(value));
  }
  return {};
}

}  // namespace

Result<spi::Uri> parse_uri(std::string_view text) {
  spi::Uri uri;
  uri.text = text;
  if (text.find('\0') != std::string_view::npos)
    return bad_uri("(contains a zero byte)", "a name can't contain a zero byte");
  const std::size_t separator = text.find("://");
  if (separator == std::string_view::npos) {
    if (text.empty()) return bad_uri(text, "an empty name");
    uri.scheme = "file";
    uri.path = text;
    return uri;
  }
  uri.scheme = text.substr(0, separator);
  const auto is_scheme_character = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  };
  if (uri.scheme.empty() || !std::all_of(uri.scheme.begin(), uri.scheme.end(), is_scheme_character)) {
    return bad_uri(text, "a scheme is of lower-case letters, digits, +, - and .");
  }
  std::string_view rest = text.substr(separator + 3);
  const std::size_t question = rest.find('?');
  if (question != std::string_view::npos) {
    GPUIO_TRY(parse_parameters(rest.substr(question + 1), text, uri));
    rest = rest.substr(0, question);
  }
  GPUIO_ASSIGN(uri.path, percent_decode(rest, text));
  if (uri.path.empty()) return bad_uri(text, "the URI has no path");
  return uri;
}

}  // namespace gpuio::core
