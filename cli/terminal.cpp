// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <cerrno>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

namespace gpuio::cli {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

/// As setlocale decides it, without changing the process's locale: the first of the three that is set.
bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view value = environment(name);
    if (value.empty()) continue;
    for (std::string_view utf8 : {"UTF-8", "utf-8", "UTF8", "utf8"}) {
      if (value.find(utf8) != std::string_view::npos) return true;
    }
    return false;
  }
  return false;
}

std::string_view escape(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::bold:
      return "\x1b[1m";
    case Style::dim:
      return "\x1b[2m";
    case Style::green:
      return "\x1b[32m";
    case Style::yellow:
      return "\x1b[33m";
    case Style::red:
      return "\x1b[1;31m";
    case Style::cyan:
      return "\x1b[36m";
  }
  return "";
}

}  // namespace

Terminal Terminal::of(int fd) {
  Terminal terminal;
  terminal.fd_ = fd;
  const bool capable = environment("TERM") != "dumb" && !environment("TERM").empty();
  terminal.interactive_ = ::isatty(fd) == 1 && capable;
  terminal.color_ = terminal.interactive_ && environment("NO_COLOR").empty();
  terminal.unicode_ = terminal.interactive_ && locale_is_utf8();
  return terminal;
}

unsigned Terminal::width() const noexcept {
  constexpr unsigned kDefault = 80;
  winsize size{};
  if (fd_ < 0 || ::ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefault;
  return size.ws_col;
}

std::string Terminal::paint(std::string_view text, Style style) const {
  if (!color_ || style == Style::plain) return std::string(text);
  return std::string(escape(style)).append(text).append("\x1b[0m");
}

bool Terminal::write(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t written = ::write(fd_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::size_t display_width(std::string_view text) noexcept {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      while (i < text.size() && text[i] != 'm' && text[i] != 'K') ++i;
      continue;
    }
    const bool continuation = (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U;
    if (!continuation) ++columns;
  }
  return columns;
}

}  // namespace gpuio::cli
