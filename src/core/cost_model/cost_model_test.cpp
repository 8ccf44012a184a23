// SPDX-License-Identifier: Apache-2.0
#include "core/cost_model/cost_model.h"

#include <gtest/gtest.h>

#include "base/units.h"
#include "core/cost_model/example_model.h"
#include "core/cost_model/streamed_bytes.h"

namespace gpuio::core {
namespace {

using base::kKiB;
using base::kMiB;
constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

DeviceInfo device(std::string name, std::string bus_id) {
  DeviceInfo info;
  info.name = std::move(name);
  info.bus_id = std::move(bus_id);
  return info;
}

const DeviceInfo kMeasured = device("cuda:0", "0000:17:00.0");
const DeviceInfo kOther = device("cuda:1", "0000:65:00.0");

TEST(CostThresholds, CopiesPassTheCachesFromWhereThatNeverLosesAgain) {
  CostModel model = example_model();
  EXPECT_EQ(model.thresholds().streamed_copy_bytes_min, 4 * kMiB);
  model.processor.streaming = {{1 * kMiB, 10, 11}, {4 * kMiB, 11, 10}, {16 * kMiB, 10, 11}};
  EXPECT_EQ(model.thresholds().streamed_copy_bytes_min, 16 * kMiB);
  model.processor.streaming = {{1 * kMiB, 10, 11}, {4 * kMiB, 11, 10}};
  EXPECT_EQ(model.thresholds().streamed_copy_bytes_min, kNone);
}

TEST(CostThresholds, AProcessorWithoutStreamingStoresNeverUsesThem) {
  CostModel model = example_model();
  for (StreamingRate& rate : model.processor.streaming) rate.streamed_bytes_per_second = 0;
  EXPECT_EQ(model.thresholds().streamed_copy_bytes_min, kNone);
}

TEST(CostThresholds, ReadsAreInlineWhileOneThreadIsDoneBeforeAHandOverPays) {
  CostModel model = example_model();
  model.processor.hand_over_ns = 10'000;
  model.memory[0].one_thread.copy_bytes_per_second = 5e9;
  model.memory[0].all_threads.copy_bytes_per_second = 10e9;
  EXPECT_EQ(model.thresholds().inline_bytes_max, 96 * kKiB);  // 10 us / (0.2 - 0.1 ns) = 100,000 bytes, whole pages
  model.processor.hand_over_ns = 100;
  EXPECT_EQ(model.thresholds().inline_bytes_max, 16 * kKiB);
  model.processor.hand_over_ns = 1e9;
  EXPECT_EQ(model.thresholds().inline_bytes_max, 256 * kKiB);
}

TEST(CostThresholds, WhereMoreThreadsCopyNoFasterAHandOverOnlyPaysForTheCaller) {
  CostModel model = example_model();
  model.memory[0].all_threads = model.memory[0].one_thread;
  EXPECT_EQ(model.thresholds().inline_bytes_max, 256 * kKiB);
}

TEST(CostThresholds, WithoutMeasurementsTheDefaultsHold) {
  const CostThresholds none = CostModel().thresholds();
  EXPECT_EQ(none.inline_bytes_max, 0U);
  EXPECT_EQ(none.streamed_copy_bytes_min, kStreamedBytesMin);
  CostModel model = example_model();
  model.devices[0].pieces.clear();
  EXPECT_EQ(model.thresholds().devices.at(0).kernel_piece_bytes_max, kKernelPieceBytesMax);
}

TEST(CostThresholds, AKernelMovesPiecesUpToWhereTheCopyEngineIsQuicker) {
  CostModel model = example_model();
  EXPECT_EQ(model.thresholds().devices.at(0).kernel_piece_bytes_max, 64 * kKiB);
  model.devices[0].pieces[0].kernel_bytes_per_second = 0.5e9;
  EXPECT_EQ(model.thresholds().devices.at(0).kernel_piece_bytes_max, 0U);
}

TEST(CostThresholds, OtherWaysThanSlabsAreGuessedOnlyWhereClearlyQuicker) {
  CostModel model = example_model();
  DeviceCost& cost = model.devices[0];
  const auto hot_path = [&model] { return model.thresholds().devices.at(0).hot_path; };
  EXPECT_EQ(hot_path(), "copy");  // registering 20 GB/s, slabs fill the link
  model.memory[0].all_threads.copy_bytes_per_second = 10e9;
  EXPECT_EQ(hot_path(), "register");
  cost.link.back().to_device_bytes_per_second = 15e9;
  cost.link.front().to_device_bytes_per_second = 15e9;
  EXPECT_EQ(hot_path(), "kernel");
  cost.register_bytes_per_second = 11e9;
  EXPECT_EQ(hot_path(), "copy");
}

TEST(Costs, ADeviceIsKnownByItsAddressWhateverItsNumber) {
  const Costs costs(example_model());
  EXPECT_EQ(costs.kernel_piece_bytes_max(kMeasured), 64 * kKiB);
  EXPECT_EQ(costs.kernel_piece_bytes_max(device("cuda:3", kMeasured.bus_id)), 64 * kKiB);
  EXPECT_EQ(costs.kernel_piece_bytes_max(device("cuda:0", kOther.bus_id)), kKernelPieceBytesMax);
  EXPECT_EQ(costs.hot_way(kMeasured), Carriage::slab_copy);
  EXPECT_FALSE(costs.hot_way(kOther));
}

TEST(Costs, WithoutAModelAnswerTheDefaults) {
  const Costs costs;
  EXPECT_EQ(costs.model().error().code(), Code::not_found);
  EXPECT_EQ(costs.inline_bytes_max(Settings()), 64 * kKiB);
  EXPECT_FALSE(costs.decides_inline(Settings()));
  EXPECT_EQ(costs.kernel_piece_bytes_max(kMeasured), kKernelPieceBytesMax);
  EXPECT_FALSE(costs.hot_way(kMeasured));
}

TEST(Costs, WhatTheUserSetIsStrongerThanTheModel) {
  CostModel model = example_model();
  model.memory[0].all_threads = model.memory[0].one_thread;
  const Costs costs(model);
  EXPECT_EQ(costs.inline_bytes_max(Settings()), 256 * kKiB);
  Settings settings;
  ASSERT_TRUE(settings.set("scheduler.inline_bytes_max", "64KiB").ok());
  EXPECT_EQ(costs.inline_bytes_max(settings), 64 * kKiB);
  EXPECT_FALSE(costs.decides_inline(settings));
}

TEST(RowWays, TheQuickestByWhatWasMeasured) {
  CostModel model = example_model();
  EXPECT_EQ(quickest_row_way(model, kMeasured, {128, 1'000'000, true}), RowWay::kernel);
  // 111 M/s by kernel from pinned memory, 150 M/s gathered by the host's threads.
  EXPECT_EQ(quickest_row_way(model, kMeasured, {128, 1'000'000}), RowWay::staged);
  model.memory.clear();
  model.devices[0].pieces.push_back({1 * kMiB, 52e9, 41e9});
  EXPECT_EQ(quickest_row_way(model, kMeasured, {4 * kMiB, 100}), RowWay::copy_engine);
}

TEST(RowWays, FewRowsDoNotPayForAHandOver) {
  EXPECT_EQ(quickest_row_way(example_model(), kMeasured, {128, 10}), RowWay::kernel);
}

TEST(RowWays, WhatIsNotPossibleIsNotChosen) {
  RowTraffic traffic{128, 1'000'000};
  traffic.by_staging = false;
  EXPECT_EQ(quickest_row_way(example_model(), kMeasured, traffic), RowWay::kernel);
  traffic.by_kernel = false;
  EXPECT_EQ(quickest_row_way(example_model(), kMeasured, traffic), RowWay::copy_engine);
}

TEST(RowWays, EachDirectionHasItsOwnLink) {
  CostModel model = example_model();
  for (LinkRate& rate : model.devices[0].link) rate.from_device_bytes_per_second = 1e9;
  RowTraffic traffic{128, 1'000'000};
  EXPECT_EQ(quickest_row_way(model, kMeasured, traffic), RowWay::staged);
  traffic.to_device = false;
  EXPECT_EQ(quickest_row_way(model, kMeasured, traffic), RowWay::kernel);
}

TEST(RowWays, ADeviceThatWasNotMeasuredHasNone) {
  EXPECT_FALSE(quickest_row_way(example_model(), kOther, {128, 10}));
  EXPECT_FALSE(quickest_row_way(CostModel(), kMeasured, {128, 10}));
  EXPECT_FALSE(Costs().row_way(kMeasured, {128, 10}));
}

TEST(RowWays, WhatWasNotMeasuredIsNotChosen) {
  CostModel model = example_model();
  for (DeviceRowRate& rate : model.devices[0].rows) rate.mapped_rows_per_second = 0;
  RowTraffic traffic{128, 1'000'000, true};
  EXPECT_EQ(quickest_row_way(model, kMeasured, traffic), RowWay::staged) << "nor are mapped pieces by the copy engine";
  traffic.by_staging = false;
  EXPECT_FALSE(quickest_row_way(model, kMeasured, traffic));
}

}  // namespace
}  // namespace gpuio::core
