// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <gtest/gtest.h>

namespace gpuio::cli {
namespace {

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({{.title = "name"}, {.title = "rate", .align = Table::Align::right}, {.title = ""}});
  table.add_row({"gpuio", "52.9", "hot"});
  table.add_row({"a", "8", ""});
  EXPECT_EQ(table.render(Terminal()), "name   rate\ngpuio  52.9  hot\na         8\n");
}

TEST(Table, WithoutTitlesThereIsNoTitleLine) {
  Table table({{.title = ""}, {.title = ""}});
  table.add_row({"x", "y"});
  EXPECT_EQ(table.render(Terminal()), "x  y\n");
}

TEST(Table, ColoursAndLettersBeyondAsciiDontShiftColumns) {
  Table table({{.title = ""}, {.title = ""}});
  table.add_row({"\x1b[32mok\x1b[0m", "1"});
  table.add_row({"\xc3\xa9\xc3\xa9\xc3\xa9", "2"});
  EXPECT_EQ(table.render(Terminal()), "\x1b[32mok\x1b[0m   1\n\xc3\xa9\xc3\xa9\xc3\xa9  2\n");
}

TEST(Table, MissingCellsAreEmpty) {
  Table table({{.title = "a"}, {.title = "b"}});
  table.add_row({"1"});
  EXPECT_EQ(table.render(Terminal()), "a  b\n1\n");
}

TEST(Terminal, NothingIsPaintedWhereThereIsNone) { EXPECT_EQ(Terminal().paint("text", Style::red), "text"); }

TEST(Terminal, AFileIsNoTerminal) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const Terminal terminal = Terminal::of(fileno(file));
  EXPECT_FALSE(terminal.interactive());
  EXPECT_FALSE(terminal.color());
  EXPECT_EQ(terminal.width(), 80U);
  EXPECT_TRUE(terminal.write("x"));
  std::fclose(file);
}

}  // namespace
}  // namespace gpuio::cli
