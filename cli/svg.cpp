// SPDX-License-Identifier: Apache-2.0
#include "cli/svg.h"

#include <fmt/core.h>

namespace gpuio::cli {
namespace {

/// Bytes of the UTF-8 character at the start of `text`; 0: there is none.
std::size_t character_bytes(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t bytes = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
  if (bytes == 0 || bytes > text.size() || first > 0xF4) return 0;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) return 0;
  }
  return bytes;
}

std::string_view entity_of(char letter) {
  switch (letter) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    default:
      return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f ? "?" : "";
  }
}

}  // namespace

std::string xml_escaped(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    const std::string_view entity = bytes == 0 ? "?" : bytes == 1 ? entity_of(text.front()) : "";
    escaped += entity.empty() ? text.substr(0, bytes) : entity;
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  return escaped;
}

std::string shortened(std::string_view text, std::size_t columns) {
  std::size_t at = 0;
  std::size_t cut = 0;
  for (std::size_t count = 0; at < text.size(); ++count) {
    if (count + 1 == columns) cut = at;
    if (count == columns) return std::string(text.substr(0, cut)) + "\u2026";
    const std::size_t bytes = character_bytes(text.substr(at));
    at += bytes == 0 ? 1 : bytes;
  }
  return std::string(text);
}

void Svg::rect(const Box& box, std::string_view look, double radius) {
  body_ += fmt::format(R"(<rect class="{}" x="{:g}" y="{:g}" width="{:g}" height="{:g}" rx="{:g}"/>)", look, box.x,
                       box.y, box.width, box.height, radius);
  body_ += '\n';
}

void Svg::text(double x, double y, std::string_view look, std::string_view text, std::string_view anchor) {
  body_ += fmt::format(R"(<text class="{}" x="{:g}" y="{:g}" text-anchor="{}">{}</text>)", look, x, y, anchor,
                       xml_escaped(text));
  body_ += '\n';
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view look, double thickness) {
  body_ += fmt::format(R"(<line class="{}" x1="{:g}" y1="{:g}" x2="{:g}" y2="{:g}" stroke-width="{:g}"/>)", look, x1,
                       y1, x2, y2, thickness);
  body_ += '\n';
}

void Svg::begin_group(std::string_view title) { body_ += fmt::format("<g><title>{}</title>\n", xml_escaped(title)); }
void Svg::end_group() { body_ += "</g>\n"; }

std::string Svg::finish(double width, double height, std::string_view title, std::string_view style) const {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:g}\" height=\"{1:g}\" viewBox=\"0 0 {0:g} {1:g}\" "
      "role=\"img\">\n<title>{2}</title>\n<style>{3}</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n"
      "{4}</svg>\n",
      width, height, xml_escaped(title), style, body_);
}

}  // namespace gpuio::cli
