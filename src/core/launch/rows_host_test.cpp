// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "base/random.h"
#include "core/launch/rows.kernel.h"

namespace gpuio::core {
namespace {

struct Shape {
  std::uint64_t row_bytes;
  std::uint64_t stride_bytes;
  std::uint64_t table_rows;
  std::uint64_t count;
  std::uint64_t parts;
};

std::vector<std::byte> random_bytes(base::Random& random, std::size_t bytes) {
  std::vector<std::byte> result(bytes + 64);
  for (std::size_t at = 0; at + 8 <= result.size(); at += 8) {
    const std::uint64_t word = random.next();
    std::memcpy(result.data() + at, &word, 8);
  }
  return result;
}

/// An address in `memory` that is a multiple of a line, so that rows of whole lines may go past the caches.
std::byte* line_in(std::vector<std::byte>& memory) {
  return memory.data() +
         (kHostLineBytes - reinterpret_cast<std::uintptr_t>(memory.data()) % kHostLineBytes) % kHostLineBytes;
}

/// Both directions against a loop; `bad` of the ids lie outside the table.
template <class Id>
void expect_rows_move(base::Random& random, const Shape& shape, RowDirection direction, bool bad) {
  auto table_memory = random_bytes(random, shape.table_rows * shape.stride_bytes);
  auto packed_memory = random_bytes(random, shape.count * shape.row_bytes);
  std::byte* table = line_in(table_memory);
  std::byte* packed = line_in(packed_memory);
  std::vector<Id> ids(shape.count);
  std::iota(ids.begin(), ids.end(), Id{0});
  for (std::size_t i = ids.size(); i > 1; --i) std::swap(ids[i - 1], ids[random.uniform(i)]);
  for (Id& id : ids) id = bad && random.chance(0.1) ? std::numeric_limits<Id>::max() - id : id;
  auto table_expected = table_memory;
  auto packed_expected = packed_memory;
  bool any_bad = false;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= shape.table_rows) {
      any_bad = true;
      continue;
    }
    const std::size_t row = static_cast<std::size_t>(table - table_memory.data()) + ids[i] * shape.stride_bytes;
    const std::size_t place = static_cast<std::size_t>(packed - packed_memory.data()) + i * shape.row_bytes;
    if (direction == RowDirection::gather) {
      std::memcpy(packed_expected.data() + place, table_memory.data() + row, shape.row_bytes);
    } else {
      std::memcpy(table_expected.data() + row, packed_memory.data() + place, shape.row_bytes);
    }
  }
  std::uint32_t status = 0;
  const spi::RowsArguments rows{
      table,       shape.table_rows, shape.row_bytes, shape.stride_bytes, ids.data(), sizeof(Id), 0,
      shape.count, packed,           &status};
  for (std::uint64_t part = 0; part < shape.parts; ++part) {
    const dev::LoopPolicy policy{part, shape.parts};
    if (direction == RowDirection::gather) {
      move_rows<RowDirection::gather>(policy, rows);
    } else {
      move_rows<RowDirection::scatter>(policy, rows);
    }
  }
  EXPECT_TRUE(table_memory == table_expected) << shape.row_bytes;
  EXPECT_TRUE(packed_memory == packed_expected) << shape.row_bytes;
  ASSERT_EQ(status != 0, any_bad);
  if (any_bad) {
    EXPECT_GE(ids[status - 1], shape.table_rows);
  }
}

TEST(HostRows, EqualALoopInBothDirections) {
  base::Random random(1);
  for (int round = 0; round < 200; ++round) {
    Shape shape{};
    shape.row_bytes = 1 + random.uniform(round % 2 == 0 ? 200 : 3000);
    shape.stride_bytes = shape.row_bytes + random.uniform(2) * random.uniform(100);
    shape.count = random.uniform(100);
    shape.table_rows = shape.count + 1 + random.uniform(50);
    shape.parts = 1 + random.uniform(4);
    const auto direction = static_cast<RowDirection>(random.uniform(2));
    if (random.chance(0.5)) {
      expect_rows_move<std::uint32_t>(random, shape, direction, true);
    } else {
      expect_rows_move<std::uint64_t>(random, shape, direction, true);
    }
  }
}

TEST(HostRows, LargeOnesGoPastTheCachesAndAreRight) {
  base::Random random(2);
  for (const std::uint64_t row_bytes : {64U, 128U, 264U, 512U, 4096U}) {
    const std::uint64_t count = kStreamedBytesMin / row_bytes + 1;
    const Shape shape{row_bytes, row_bytes, count + 3, count, 3};
    expect_rows_move<std::uint32_t>(random, shape, RowDirection::gather, false);
    expect_rows_move<std::uint64_t>(random, shape, RowDirection::scatter, true);
  }
}

}  // namespace
}  // namespace gpuio::core
