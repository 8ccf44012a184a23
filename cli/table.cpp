// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <algorithm>
#include <cassert>

namespace gpuio::cli {

void Table::add_row(std::vector<std::string> cells) {
  assert(cells.size() <= columns_.size());
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::render(const Terminal& terminal) const {
  std::vector<std::string> titles;
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) {
    titles.push_back(terminal.paint(column.title, column.title.empty() ? Style::plain : Style::dim));
    std::size_t width = display_width(column.title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[widths.size()]));
    widths.push_back(width);
  }

  std::string text;
  const auto append = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string padding(widths[i] - display_width(cells[i]), ' ');
      if (i > 0) line += "  ";
      line += columns_[i].align == Align::right ? padding + cells[i] : cells[i] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  };
  if (std::ranges::any_of(columns_, [](const Column& column) { return !column.title.empty(); })) append(titles);
  for (const auto& row : rows_) append(row);
  return text;
}

}  // namespace gpuio::cli
