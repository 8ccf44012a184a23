// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "assembly/kernels/device_test.h"

// The kernels that every device offers, against plain loops.
namespace gpuio::assembly {
namespace {

class DeviceKernels : public DeviceTest {
 protected:
  struct RowCase {
    std::uint64_t row_bytes;
    std::uint64_t stride_bytes;
    std::uint64_t table_rows;
    std::uint64_t count;
    std::size_t table_skew;
    std::size_t packed_skew;
    bool wide_ids;
    RegionKind table_kind;
  };

  RowCase random_case();
  void expect_rows_move(const RowCase& rows, bool scatter);
  void run(spi::KernelId kernel, const void* arguments) {
    const spi::StreamHandle queue = stream();
    expect_ok(device().launch(queue, kernel, arguments));
    expect_ok(device().synchronize(queue));
  }
  std::byte* upload_ids(const std::vector<std::uint64_t>& ids, bool wide);
  void expect_segments_move(std::size_t span, const std::vector<spi::MoveSegment>& offsets);
};

DeviceKernels::RowCase DeviceKernels::random_case() {
  RowCase rows{};
  const std::uint64_t unit = std::uint64_t{1} << random_.uniform(5);  // Multiples of 1 to 16 bytes.
  rows.row_bytes = std::max<std::uint64_t>(1, (1 + random_.uniform(5000)) / unit * unit);
  rows.stride_bytes = rows.row_bytes + random_.uniform(3) * unit;
  rows.table_rows = 1 + random_.uniform(300);
  rows.count = random_.uniform(500);
  rows.table_skew = random_.uniform(2) * random_.uniform(16);
  rows.packed_skew = random_.uniform(2) * random_.uniform(16);
  rows.wide_ids = random_.chance(0.5);
  rows.table_kind = random_.chance(0.5) ? RegionKind::device : RegionKind::pinned;
  return rows;
}

std::byte* DeviceKernels::upload_ids(const std::vector<std::uint64_t>& ids, bool wide) {
  std::vector<std::byte> bytes(ids.size() * (wide ? 8 : 4) + 8);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto narrow = static_cast<std::uint32_t>(ids[i]);
    if (wide) std::memcpy(bytes.data() + i * 8, &ids[i], 8);
    if (!wide) std::memcpy(bytes.data() + i * 4, &narrow, 4);
  }
  std::byte* memory = allocate(bytes.size());
  upload(memory, bytes);
  return memory;
}

/// One launch against a loop; about one id in twenty lies outside the table. A scatter's good ids are all different.
void DeviceKernels::expect_rows_move(const RowCase& rows, bool scatter) {
  const std::size_t table_bytes = rows.table_skew + rows.table_rows * rows.stride_bytes + 16;
  const std::size_t packed_bytes = rows.packed_skew + rows.count * rows.row_bytes + 16;
  auto table = random_bytes(table_bytes);
  auto packed = random_bytes(packed_bytes);
  std::byte* device_table = allocate(table_bytes, rows.table_kind);
  std::byte* device_packed = allocate(packed_bytes);
  upload(device_table, table);
  upload(device_packed, packed);

  std::vector<std::uint64_t> ids(rows.count);
  std::vector<bool> bad(rows.count);
  for (std::size_t i = 0; i < rows.count; ++i) {
    ids[i] = scatter ? i : random_.uniform(rows.table_rows);
    bad[i] = ids[i] >= rows.table_rows || random_.chance(0.05);
    if (bad[i]) ids[i] = rows.table_rows + random_.uniform(1000);
    if (bad[i]) continue;
    std::byte* row = table.data() + rows.table_skew + ids[i] * rows.stride_bytes;
    std::byte* place = packed.data() + rows.packed_skew + i * rows.row_bytes;
    std::memcpy(scatter ? row : place, scatter ? place : row, rows.row_bytes);
  }
  std::uint32_t* status = allocate_word();
  const spi::RowsArguments arguments{device_table + rows.table_skew,
                                     rows.table_rows,
                                     rows.row_bytes,
                                     rows.stride_bytes,
                                     upload_ids(ids, rows.wide_ids),
                                     rows.wide_ids ? 8U : 4U,
                                     0,
                                     rows.count,
                                     device_packed + rows.packed_skew,
                                     status};
  run(scatter ? spi::KernelId::scatter_rows : spi::KernelId::gather_rows, &arguments);
  EXPECT_EQ(download(device_table, table_bytes), table);
  EXPECT_EQ(download(device_packed, packed_bytes), packed);
  if (std::find(bad.begin(), bad.end(), true) == bad.end()) {
    EXPECT_EQ(*status, 0U);
  } else {
    ASSERT_TRUE(*status >= 1 && *status <= rows.count) << *status;
    EXPECT_TRUE(bad[*status - 1]);
  }
}

TEST_F(DeviceKernels, GatherEqualsALoopForRandomRows) {
  for (int i = 0; i < 60; ++i) {
    const RowCase rows = random_case();
    SCOPED_TRACE(::testing::Message() << "row " << rows.row_bytes << " stride " << rows.stride_bytes << " count "
                                      << rows.count << " skews " << rows.table_skew << ' ' << rows.packed_skew);
    expect_rows_move(rows, false);
  }
}

TEST_F(DeviceKernels, ScatterEqualsALoopForRandomRows) {
  for (int i = 0; i < 60; ++i) {
    const RowCase rows = random_case();
    SCOPED_TRACE(::testing::Message() << "row " << rows.row_bytes << " stride " << rows.stride_bytes << " count "
                                      << rows.count << " skews " << rows.table_skew << ' ' << rows.packed_skew);
    expect_rows_move(rows, true);
  }
}

TEST_F(DeviceKernels, EveryRowSizeUpTo70MovesAtEveryAlignment) {
  for (std::uint64_t bytes = 1; bytes <= 70; ++bytes) {
    expect_rows_move({bytes, bytes, 50, 40, bytes % 17 % 16, bytes % 5, true, RegionKind::device}, false);
  }
}

TEST_F(DeviceKernels, RowsOfMappedMemoryAreGathered) {
  expect_rows_move({512, 512, 4000, 3000, 0, 0, false, RegionKind::mapped}, false);
  expect_rows_move({656, 656, 4000, 3000, 0, 0, false, RegionKind::mapped}, true);
}

TEST_F(DeviceKernels, ManyRowsAreSpreadOverTheWholeDevice) {
  expect_rows_move({512, 512, 50'000, 40'000, 0, 0, false, RegionKind::pinned}, false);
}

TEST_F(DeviceKernels, NoStatusWordIsNeeded) {
  const auto packed = random_bytes(64);
  std::byte* memory = allocate(64);
  upload(memory, packed);
  const spi::RowsArguments arguments{memory, 1, 16, 16, upload_ids({7, 8}, false), 4, 0, 2, memory + 16, nullptr};
  run(spi::KernelId::gather_rows, &arguments);
  EXPECT_EQ(download(memory, 64), packed);
}

/// `offsets` holds offsets into a source and a destination of `span` bytes where a MoveSegment holds addresses.
void DeviceKernels::expect_segments_move(std::size_t span, const std::vector<spi::MoveSegment>& offsets) {
  const auto source = random_bytes(span);
  std::vector<std::byte> expected(span);
  std::byte* from = allocate(span, RegionKind::pinned);
  std::byte* to = allocate(span);
  upload(from, source);
  upload(to, expected);
  auto* list =
      reinterpret_cast<spi::MoveSegment*>(allocate(offsets.size() * sizeof(spi::MoveSegment) + 1, RegionKind::pinned));
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const auto source_at = reinterpret_cast<std::uintptr_t>(offsets[i].source);
    const auto at = reinterpret_cast<std::uintptr_t>(offsets[i].destination);
    list[i] = {from + source_at, to + at, offsets[i].bytes};
    std::memcpy(expected.data() + at, source.data() + source_at, offsets[i].bytes);
  }
  const spi::SegmentsArguments arguments{list, offsets.size()};
  run(spi::KernelId::move_segments, &arguments);
  EXPECT_TRUE(download(to, span) == expected);
}

spi::MoveSegment offsets(std::uint64_t source, std::uint64_t destination, std::uint64_t bytes) {
  return {reinterpret_cast<const std::byte*>(source), reinterpret_cast<std::byte*>(destination), bytes};
}

TEST_F(DeviceKernels, SegmentsOfAnyLengthAndAlignmentMove) {
  for (int round = 0; round < 20; ++round) {
    std::vector<spi::MoveSegment> segments;
    std::uint64_t at = random_.uniform(64);
    const std::uint64_t count = 1 + random_.uniform(400);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t bytes = random_.uniform(random_.chance(0.1) ? 100'000 : 3000);
      segments.push_back(offsets(random_.uniform(1 << 20), at, bytes));
      at += bytes + random_.uniform(40);
    }
    expect_segments_move(std::max<std::size_t>(at, (1 << 20) + 100'000) + 64, segments);
  }
}

TEST_F(DeviceKernels, TenThousandPagesMoveInOneLaunch) {
  std::vector<spi::MoveSegment> segments;
  for (std::uint64_t i = 0; i < 10'000; ++i) segments.push_back(offsets((i * 7919 % 10'000) * 4096, i * 4096, 4096));
  expect_segments_move(10'000 * 4096, segments);
}

TEST_F(DeviceKernels, OneLargeSegmentMovesAtEveryRelativeAlignment) {
  for (std::uint64_t skew = 0; skew < 16; ++skew) {
    expect_segments_move((std::size_t{8} << 20) + 64, {offsets(skew, 5, std::uint64_t{8} << 20)});
  }
}

TEST_F(DeviceKernels, AnEmptyListIsNoWork) { expect_segments_move(64, {}); }

TEST_F(DeviceKernels, AKernelInAGraphReadsTheIdsOfEachReplay) {
  const auto table = random_bytes(100 * 64);
  std::byte* device_table = allocate(table.size());
  upload(device_table, table);
  std::byte* packed = allocate(10 * 64);
  auto* ids = reinterpret_cast<std::uint32_t*>(allocate(4096, RegionKind::pinned));
  const spi::RowsArguments arguments{device_table, 100, 64, 64, ids, 4, 0, 10, packed, nullptr};
  const spi::StreamHandle queue = stream();
  expect_ok(device().begin_capture(queue));
  expect_ok(device().launch(queue, spi::KernelId::gather_rows, &arguments));
  spi::GraphHandle graph = device().end_capture(queue).value();
  for (std::uint32_t round = 0; round < 5; ++round) {
    for (std::uint32_t i = 0; i < 10; ++i) ids[i] = (i * 13 + round) % 100;
    expect_ok(device().launch_graph(graph, queue));
    expect_ok(device().synchronize(queue));
    const auto got = download(packed, 10 * 64);
    for (std::size_t i = 0; i < 10; ++i) {
      EXPECT_EQ(std::memcmp(got.data() + i * 64, table.data() + std::size_t{64} * ids[i], 64), 0);
    }
  }
  expect_ok(device().destroy_graph(graph));
}

TEST_F(DeviceKernels, UnknownKernelsAreRefused) {
  const spi::SegmentsArguments arguments{};
  EXPECT_EQ(device().launch(stream(), spi::KernelId::count, &arguments).code(), Code::invalid_argument);
}

}  // namespace
}  // namespace gpuio::assembly
