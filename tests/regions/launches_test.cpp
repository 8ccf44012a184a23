// SPDX-License-Identifier: Apache-2.0
// Rows and words moved by kernels on a stream of a Region's own device, where it says that they may; a clear error at
// the call where not.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "regions/region_kinds.h"

namespace gpuio::tests {
namespace {

using testing::HasSubstr;

class RegionLaunches : public FilledRegionTest {
 protected:
  void SetUp() override {
    FilledRegionTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    stream_.emplace(device_->create_stream().value());
    table_ = Slice(memory_).pin().value();
  }

  /// What a Launch of rows needs besides the table.
  struct Rows {
    Buffer ids, packed, status;
    Pin ids_pin, packed_pin, status_pin;
    RowLaunch launch;
  };
  std::unique_ptr<Rows> rows(const Device& device, const std::vector<std::uint32_t>& ids,
                             const std::vector<std::byte>& packed) {
    auto rows = std::make_unique<Rows>();
    rows->ids = upload(device, ids);
    rows->packed = upload(device, packed);
    rows->status = upload(device, std::vector<std::uint32_t>{0});
    rows->ids_pin = Slice(rows->ids).pin().value();
    rows->packed_pin = Slice(rows->packed).pin().value();
    rows->status_pin = Slice(rows->status).pin().value();
    rows->launch = {.table = &table_,
                    .row_bytes = packed.size() / ids.size(),
                    .stride_bytes = 0,
                    .ids = &rows->ids_pin,
                    .id_type = IdType::u32,
                    .count = ids.size(),
                    .packed = &rows->packed_pin,
                    .status = &rows->status_pin};
    return rows;
  }
  std::vector<std::uint32_t> draw_ids(std::uint64_t row_bytes) {
    std::vector<std::uint32_t> ids(kRegionBytes / row_bytes);
    std::iota(ids.begin(), ids.end(), 0);
    for (std::uint64_t i = ids.size() - 1; i > 0; --i) std::swap(ids[i], ids[random_.uniform(i + 1)]);
    ids.resize(1 + ids.size() / 3);
    return ids;
  }

  /// Words of the Region, and what is to be added to them.
  struct Additions {
    Buffer operands, status;
    Pin words_pin, operands_pin, status_pin;
    UpdateLaunch launch;
  };
  std::unique_ptr<Additions> additions(std::uint64_t count) {
    std::vector<std::uint64_t> values(count);
    for (std::uint64_t& value : values) value = random_.next();
    auto made = std::make_unique<Additions>();
    made->operands = upload(*device_, values);
    made->status = upload(*device_, std::vector<std::uint32_t>{0});
    made->words_pin = memory_.slice(0, count * 8).value().pin().value();
    made->operands_pin = Slice(made->operands).pin().value();
    made->status_pin = Slice(made->status).pin().value();
    made->launch.words = &made->words_pin;
    made->launch.count = count;
    made->launch.operands = &made->operands_pin;
    made->launch.status = &made->status_pin;
    return made;
  }
  /// Every word is its old self and its operand.
  void check_sums(const Additions& made) {
    const auto sums = download<std::uint64_t>(memory_.slice(0, made.launch.count * 8).value());
    const auto operands = download<std::uint64_t>(made.operands);
    for (std::uint64_t i = 0; i < made.launch.count; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, &model_[i * 8], 8);
      ASSERT_EQ(sums[i], word + operands[i]) << i;
    }
    EXPECT_EQ(download<std::uint32_t>(made.status).front(), 0U);
  }
  std::optional<Stream> stream_;
  Pin table_;
};

TEST_P(RegionLaunches, RowsAreGatheredWhereKernelsReachAndRefusedWhereNot) {
  const Capability can = memory_.can(Ability::device_load_store);
  for (const std::uint64_t row_bytes : {1U, 7U, 16U, 264U, 656U}) {
    const std::vector<std::uint32_t> ids = draw_ids(row_bytes);
    const std::unique_ptr<Rows> gather = rows(*device_, ids, random_bytes(ids.size() * row_bytes));
    const Status launched = launch_gather(*stream_, gather->launch);
    if (!can) {
      EXPECT_EQ(launched.code(), Code::unsupported) << launched.to_string();
      EXPECT_THAT(launched.to_string(), HasSubstr(can.reason));
      EXPECT_THAT(launched.to_string(), HasSubstr("argument=table"));
      continue;
    }
    ASSERT_TRUE(launched.ok()) << launched.to_string();
    ASSERT_TRUE(stream_->synchronize().ok());
    const std::vector<std::byte> packed = get(gather->packed);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      ASSERT_EQ(std::memcmp(&packed[i * row_bytes], &model_[ids[i] * row_bytes], row_bytes), 0)
          << row_bytes << " " << i;
    }
    EXPECT_EQ(download<std::uint32_t>(gather->status).front(), 0U);
  }
}

TEST_P(RegionLaunches, RowsAreScatteredWhereKernelsReachAndRefusedWhereNot) {
  const Capability can = memory_.can(Ability::device_load_store);
  for (const std::uint64_t row_bytes : {3U, 128U, 656U}) {
    const std::vector<std::uint32_t> ids = draw_ids(row_bytes);
    const std::vector<std::byte> packed = random_bytes(ids.size() * row_bytes);
    const std::unique_ptr<Rows> scatter = rows(*device_, ids, packed);
    const Status launched = launch_scatter(*stream_, scatter->launch);
    EXPECT_EQ(launched.code(), can ? Code::ok : Code::unsupported) << launched.to_string();
    ASSERT_TRUE(stream_->synchronize().ok());
    for (std::size_t i = 0; i < ids.size() && can; ++i) {
      std::memcpy(&model_[ids[i] * row_bytes], &packed[i * row_bytes], row_bytes);
    }
    ASSERT_TRUE(get(memory_) == model_) << row_bytes;
  }
}

TEST_P(RegionLaunches, KernelsOfTheHostReachWhatTheHostReaches) {
  const Stream stream = host_->create_stream().value();
  const std::unique_ptr<Rows> gather = rows(*host_, {3, 1, 2}, random_bytes(3 * 100));
  const Status launched = launch_gather(stream, gather->launch);
  ASSERT_TRUE(stream.synchronize().ok());
  if (!memory_.can(Ability::host_load_store)) {
    EXPECT_EQ(launched.code(), Code::unsupported) << launched.to_string();
    EXPECT_THAT(launched.to_string(), HasSubstr(device_->name()));
    return;
  }
  ASSERT_TRUE(launched.ok()) << launched.to_string();
  EXPECT_EQ(std::memcmp(gather->packed.data(), &model_[300], 100), 0);
}

TEST_P(RegionLaunches, WordsAreUpdatedWhereThatIsAtomicAndRefusedWhereNot) {
  const std::unique_ptr<Additions> made = additions(10'000);
  const Capability can = memory_.slice(0, 80'000).value().atomics(Processor::device, dev::Scope::process, 64);
  const Status launched = launch_update(*stream_, made->launch);
  ASSERT_TRUE(stream_->synchronize().ok());
  if (can) {
    ASSERT_TRUE(launched.ok()) << launched.to_string();
    return check_sums(*made);
  }
  EXPECT_EQ(launched.code(), Code::unsupported) << launched.to_string();
  EXPECT_THAT(launched.to_string(), HasSubstr(can.reason));
  EXPECT_TRUE(get(memory_) == model_);
}

TEST_P(RegionLaunches, TheHostUpdatesWordsForKernelsWhereItsOwnMayAndRefusesOthers) {
  const std::unique_ptr<Additions> made = additions(100);
  const Slice words = memory_.slice(0, 800).value();
  const Capability can = words.atomics(Processor::host, dev::Scope::process, 64);
  const Result<DelegatedAtomics> owner =
      DelegatedAtomics::create(*context_, *device_, words, {.queues = 2, .slots = 64});
  if (!can) {
    EXPECT_EQ(owner.status().code(), Code::invalid_argument);
    EXPECT_THAT(owner.status().to_string(), HasSubstr(can.reason));
    return;
  }
  ASSERT_TRUE(owner) << owner.error().to_string();
  made->launch.words = nullptr;
  made->launch.delegate = &*owner;
  ASSERT_TRUE(launch_update(*stream_, made->launch).ok());
  ASSERT_TRUE(stream_->synchronize().ok());
  check_sums(*made);
}

GPUIO_FOR_ALL_REGIONS(RegionLaunches);

/// Memory that nobody may store to, where its kind can be such.
class ReadOnlyRegion : public RegionLaunches {
 protected:
  void SetUp() override {
    RegionTest::SetUp();  // NOLINT(bugprone-parent-virtual-call): filled memory is not for it
    if (IsSkipped() || HasFatalFailure()) return;
    memory_ = make(GetParam(), MapAccess::read).value();
    stream_.emplace(device_->create_stream().value());
    table_ = Slice(memory_).pin().value();
    model_ = get(memory_);
  }
  void TearDown() override {
    if (memory_) {
      EXPECT_TRUE(get(memory_) == model_);
    }
  }
};

TEST_P(ReadOnlyRegion, IsNoDestinationOfARequest) {
  const std::vector<std::byte> bytes(4096);
  const Slice part = memory_.slice(0, 4096).value();
  const std::shared_ptr<FakeStore> fake = fake_->add("store", {.size_bytes = kRegionBytes});
  const Store store = context_->open("fake://store").value();
  EXPECT_EQ(context_->copy(lend(bytes), part).error().code(), Code::permission_denied);
  EXPECT_EQ(context_->read(store, part).error().code(), Code::permission_denied);
  EXPECT_EQ(context_->fill(part, std::span(bytes).first(1)).error().code(), Code::permission_denied);
  EXPECT_TRUE(context_->write(store, part).value().wait().ok()) << "it is a source like any other";
}

TEST_P(ReadOnlyRegion, IsNoDestinationOfALaunch) {
  const std::vector<std::uint32_t> ids{5, 0, 7};
  const std::unique_ptr<Rows> moved = rows(*device_, ids, random_bytes(3 * 128));
  const Status scattered = launch_scatter(*stream_, moved->launch);
  EXPECT_EQ(scattered.code(), Code::permission_denied) << scattered.to_string();
  EXPECT_THAT(scattered.to_string(), HasSubstr("argument=table"));

  const bool reached = memory_.can(Ability::device_load_store).available;
  EXPECT_EQ(launch_gather(*stream_, moved->launch).code(), reached ? Code::ok : Code::unsupported);
  ASSERT_TRUE(stream_->synchronize().ok());

  const Buffer table = upload(*device_, random_bytes(4096));
  const Pin table_pin = Slice(table).pin().value();
  const Pin inside = memory_.slice(4096, 3 * 128).value().pin().value();
  RowLaunch into_it = moved->launch;
  into_it.table = &table_pin;
  into_it.packed = &inside;
  EXPECT_EQ(launch_gather(*stream_, into_it).code(), Code::permission_denied);
  into_it = moved->launch;
  into_it.table = &table_pin;
  into_it.status = &inside;
  EXPECT_EQ(launch_gather(*stream_, into_it).code(), Code::permission_denied);
}

TEST_P(ReadOnlyRegion, HasNoWordsToUpdate) {
  const std::unique_ptr<Additions> made = additions(100);
  const Status updated = launch_update(*stream_, made->launch);
  EXPECT_EQ(updated.code(), Code::permission_denied) << updated.to_string();
  EXPECT_THAT(updated.to_string(), HasSubstr("argument=words"));

  const Buffer words = upload(*device_, std::vector<std::uint64_t>(100));
  const Pin words_pin = Slice(words).pin().value();
  made->launch.words = &words_pin;
  made->launch.old = &made->words_pin;
  EXPECT_EQ(launch_update(*stream_, made->launch).code(), Code::permission_denied);

  EXPECT_EQ(DelegatedAtomics::create(*context_, *device_, memory_).error().code(), Code::invalid_argument);
  for (const Processor by : {Processor::host, Processor::device}) {
    EXPECT_FALSE(Slice(memory_).atomics(by, dev::Scope::process, 64));
  }
}

INSTANTIATE_TEST_SUITE_P(All, ReadOnlyRegion, testing::ValuesIn(read_only_region_kinds()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace gpuio::tests
