// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace gpuio::cli {

enum class Style { plain, bold, dim, green, yellow, red, cyan };

/// What may be done to one output stream. A value: asked once at start, but for the width, which changes.
class Terminal {
 public:
  /// What `fd` is, with the environment's wishes: NO_COLOR (no-color.org), TERM=dumb, a locale without UTF-8.
  static Terminal of(int fd);

  /// A terminal that is none: for pipes and tests.
  Terminal() = default;

  [[nodiscard]] bool interactive() const noexcept { return interactive_; }  ///< Lines can be redrawn.
  [[nodiscard]] bool color() const noexcept { return color_; }
  [[nodiscard]] bool unicode() const noexcept { return unicode_; }
  [[nodiscard]] unsigned width() const noexcept;  ///< Columns now; 80 where there is no terminal.

  /// `text` in `style`, or as it is where colour is not wanted.
  [[nodiscard]] std::string paint(std::string_view text, Style style) const;

  /// Writes all of `text` to the stream; false if it is closed or full.
  bool write(std::string_view text) const;

 private:
  int fd_ = -1;
  bool interactive_ = false;
  bool color_ = false;
  bool unicode_ = false;
};

/// Columns that `text` takes on a terminal: code points, escape sequences left out.
std::size_t display_width(std::string_view text) noexcept;

}  // namespace gpuio::cli
