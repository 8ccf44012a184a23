// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace gpuio::cli {

/// Where something is drawn, in pixels from the upper left.
struct Box {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

/// A picture in the making. Looks are classes of the style sheet that `finish` is given: `class="card"`.
class Svg {
 public:
  void rect(const Box& box, std::string_view look, double radius = 0);
  /// `anchor`: which end of the text is at x: "start", "middle", "end".
  void text(double x, double y, std::string_view look, std::string_view text, std::string_view anchor = "start");
  void line(double x1, double y1, double x2, double y2, std::string_view look, double thickness = 1.5);
  /// What a viewer shows when the pointer rests on what is drawn until `end_group`.
  void begin_group(std::string_view title);
  void end_group();

  /// The whole file; the page behind everything has the class `page`.
  [[nodiscard]] std::string finish(double width, double height, std::string_view title, std::string_view style) const;

 private:
  std::string body_;
};

/// `text` with what XML reads as its own replaced, and control characters and broken UTF-8 by a question mark.
std::string xml_escaped(std::string_view text);

/// `text` cut to `columns` characters, with an ellipsis where something is missing.
std::string shortened(std::string_view text, std::size_t columns);

}  // namespace gpuio::cli
