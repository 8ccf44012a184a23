// SPDX-License-Identifier: Apache-2.0
#include "core/placement/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>

#include <thread>

#include "base/random.h"
#include "core/testing/fake_placement_system.h"

namespace gpuio::core::placement {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::size_t kPage = FakePlacementSystem::kPage;
std::byte* const kBase = FakePlacementSystem::address(1U << 20U);

Code code_of(const Placement& placement, FakePlacementSystem& system, std::uint64_t bytes = kPage) {
  return check(placement, system.topology().value(), bytes).code();
}

TEST(Placement, ShapesThatContradictThemselvesNameTheMember) {
  FakePlacementSystem system({10, 10});
  Placement local;
  local.nodes = {0};
  Placement preferred = Placement::preferred(0);
  preferred.strict = true;
  Placement two = Placement::preferred(0);
  two.nodes = {0, 1};
  Placement weights = Placement::interleave({0, 1});
  weights.weights = {1, 2};
  for (const Placement& wrong :
       {local, preferred, two, weights, Placement::bind({}), Placement::bind({0, 0}),
        Placement::weighted_interleave({0, 1}, {1}), Placement::weighted_interleave({0, 1}, {1, 0}),
        Placement::weighted_interleave({0, 1}, {1, 256})}) {
    const Status status = check(wrong, system.topology().value(), kPage);
    EXPECT_EQ(status.code(), Code::invalid_argument);
    EXPECT_THAT(status.to_string(), HasSubstr("placement."));
  }
}

TEST(Placement, NodesThatAreNotThereOffLineForbiddenOrEmptySayWhich) {
  FakePlacementSystem system({10, 10, 10});
  system.machine.offline_nodes = {5};
  system.machine.nodes[1].usable = false;
  system.machine.nodes[1].reason = "its cpuset";
  system.machine.nodes[2].usable = false;
  system.machine.nodes[2].total_bytes = 0;
  const Topology topology = system.topology().value();
  const Status missing = check(Placement::bind({7}), topology, 1);
  EXPECT_EQ(missing.code(), Code::not_found);
  EXPECT_THAT(missing.to_string(), HasSubstr("node=7 on_line=0,1,2"));
  EXPECT_EQ(check(Placement::bind({-1}), topology, 1).code(), Code::not_found);
  const Status off_line = check(Placement::preferred(5), topology, 1);
  EXPECT_EQ(off_line.code(), Code::not_found);
  EXPECT_THAT(off_line.to_string(), HasSubstr("off line"));
  const Status forbidden = check(Placement::interleave({0, 1}), topology, 1);
  EXPECT_EQ(forbidden.code(), Code::permission_denied);
  EXPECT_THAT(forbidden.to_string(), HasSubstr("its cpuset"));
  EXPECT_EQ(check(Placement::bind({2}), topology, 1).code(), Code::not_found);
  EXPECT_TRUE(check(Placement::bind({0}), topology, 1).ok());
}

TEST(Placement, StrictMemoryThatDoesNotFitIsRefusedBeforeAnythingHappens) {
  FakePlacementSystem system({10, 10});
  EXPECT_EQ(code_of(Placement::bind({0}), system, 11 * kPage), Code::out_of_memory);
  EXPECT_EQ(code_of(Placement::bind({0, 1}), system, 11 * kPage), Code::ok);
  EXPECT_EQ(code_of(Placement::bind({0, 1}), system, 21 * kPage), Code::out_of_memory);
  EXPECT_EQ(code_of(Placement::preferred(0), system, 99 * kPage), Code::ok);
  Placement weighted = Placement::weighted_interleave({0, 1}, {3, 1});
  EXPECT_EQ(code_of(weighted, system, 16 * kPage), Code::ok);
  weighted.strict = true;
  EXPECT_EQ(code_of(weighted, system, 16 * kPage), Code::out_of_memory) << "12 pages of it are node 0's";
  EXPECT_EQ(code_of(weighted, system, 12 * kPage), Code::ok);
}

TEST(Placement, LocalPrefersTheDevicesNodeAndLeavesSingleNodesAlone) {
  FakePlacementSystem system({10, 10});
  ASSERT_TRUE(apply(system, kBase, 4 * kPage, Placement::local(), 1).ok());
  ASSERT_THAT(system.bindings, SizeIs(1));
  EXPECT_EQ(system.bindings[0].mode, MemoryMode::preferred);
  EXPECT_THAT(system.bindings[0].nodes, ElementsAre(1));
  FakePlacementSystem single({10});
  ASSERT_TRUE(apply(single, kBase, 4 * kPage, Placement::local(), 0).ok());
  EXPECT_THAT(single.bindings, IsEmpty());
}

TEST(Placement, LocalWithoutANearestNodeIsTheKernelsOwnWay) {
  FakePlacementSystem system({10, 10});
  ASSERT_TRUE(apply(system, kBase, kPage, Placement::local(), -1).ok());
  EXPECT_THAT(system.bindings, IsEmpty());
}

TEST(Placement, BindIsStrictUnlessItMayLieElsewhere) {
  FakePlacementSystem system({10, 10, 10});
  Placement bind = Placement::bind({1, 2});
  ASSERT_TRUE(apply(system, kBase, kPage, bind, 0).ok());
  EXPECT_EQ(system.bindings.back().mode, MemoryMode::bind);
  bind.strict = false;
  ASSERT_TRUE(apply(system, kBase, kPage, bind, 0).ok());
  EXPECT_EQ(system.bindings.back().mode, MemoryMode::preferred_many);
  system.has_preferred_many = false;
  ASSERT_TRUE(apply(system, kBase, kPage, bind, 0).ok());
  EXPECT_EQ(system.bindings.back().mode, MemoryMode::preferred);
  EXPECT_THAT(system.bindings.back().nodes, ElementsAre(1));
}

TEST(Placement, InterleaveWithoutNodesMeansAllThatAreUsable) {
  FakePlacementSystem system({10, 10, 10});
  system.machine.nodes[1].usable = false;
  ASSERT_TRUE(apply(system, kBase, kPage, Placement::interleave(), 0).ok());
  EXPECT_EQ(system.bindings.back().mode, MemoryMode::interleave);
  EXPECT_THAT(system.bindings.back().nodes, ElementsAre(0, 2));
}

TEST(Placement, WeightsThatAreTheKernelsUseItsMode) {
  FakePlacementSystem system({100, 100});
  system.system_weights = {3, 1};
  ASSERT_TRUE(apply(system, kBase, 8 * kPage, Placement::weighted_interleave({0, 1}, {3, 1}), -1).ok());
  ASSERT_TRUE(apply(system, kBase, 8 * kPage, Placement::weighted_interleave({0, 1}), -1).ok());
  ASSERT_THAT(system.bindings, SizeIs(2));
  EXPECT_EQ(system.bindings[0].mode, MemoryMode::weighted);
  EXPECT_EQ(system.bindings[1].mode, MemoryMode::weighted);
}

TEST(Placement, OtherWeightsThanTheKernelsAreDealtInStripes) {
  for (const bool kernel_has_mode : {false, true}) {
    FakePlacementSystem system({100, 100});
    if (kernel_has_mode) system.system_weights = {1, 1};
    ASSERT_TRUE(apply(system, kBase, 80 * kPage, Placement::weighted_interleave({0, 1}, {3, 1}), -1).ok());
    ASSERT_EQ(system.touch(kBase, 80 * kPage), 0);
    EXPECT_EQ(system.on(0), 60U);
    EXPECT_EQ(system.on(1), 20U);
  }
}

TEST(Placement, WithoutWeightsBandwidthsAreTheWeights) {
  FakePlacementSystem system({100, 100});
  system.machine.nodes[0].access.read_bandwidth_bytes_per_second = 200'000'000'000;
  system.machine.nodes[1].access.read_bandwidth_bytes_per_second = 50'000'000'000;
  ASSERT_TRUE(apply(system, kBase, 100 * kPage, Placement::weighted_interleave({0, 1}), -1).ok());
  ASSERT_EQ(system.touch(kBase, 100 * kPage), 0);
  EXPECT_EQ(system.on(0), 80U);
}

TEST(Placement, WithoutBandwidthsAllWeightsAreOne) {
  FakePlacementSystem system({100, 100});
  ASSERT_TRUE(apply(system, kBase, 10 * kPage, Placement::weighted_interleave({0, 1}), -1).ok());
  ASSERT_EQ(system.touch(kBase, 10 * kPage), 0);
  EXPECT_EQ(system.on(0), 5U);
}

TEST(Placement, ASandboxThatForbidsItFailsStrictMemoryOnly) {
  FakePlacementSystem system({10, 10});
  system.refusal = EPERM;
  EXPECT_TRUE(place(system, kBase, kPage, Placement::preferred(1), 0).ok());
  EXPECT_EQ(place(system, kBase, kPage, Placement::bind({1}), 0).code(), Code::permission_denied);
}

TEST(Placement, StrictMemoryIsThereWhenItIsPlaced) {
  FakePlacementSystem system({10, 10});
  ASSERT_TRUE(place(system, kBase, 8 * kPage, Placement::bind({1}), 0).ok());
  EXPECT_EQ(system.on(1), 8U);
}

TEST(Placement, StrictMemoryThatFellBackToAnotherNodeFails) {
  FakePlacementSystem system({10, 2, 10});
  Placement interleave = Placement::interleave({0, 1});
  interleave.strict = true;
  const Status status = place(system, kBase, 14 * kPage, interleave, 0);
  EXPECT_EQ(status.code(), Code::out_of_memory);
  EXPECT_THAT(status.to_string(), HasSubstr("node=2"));
}

TEST(Deal, AgreesWithCountingStripeByStripe) {
  base::Random random(7);
  for (int round = 0; round < 50; ++round) {
    const std::size_t count = 1 + random.uniform(5);
    std::vector<int> nodes;
    std::vector<std::uint32_t> weights;
    std::vector<int> turns;
    for (std::size_t i = 0; i < count; ++i) {
      nodes.push_back(static_cast<int>(10 * i));
      weights.push_back(static_cast<std::uint32_t>(1 + random.uniform(9)));
      turns.insert(turns.end(), weights.back(), nodes.back());
    }
    const std::uint64_t stripe = kPage << random.uniform(4);
    const Deal deal(nodes, weights, stripe);
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t offset = random.uniform(stripe * turns.size() * 5);
      const int node = deal.node_at(offset);
      ASSERT_EQ(node, turns[offset / stripe % turns.size()]);
      ASSERT_EQ(deal.node_at(offset + deal.run_at(offset) - 1), node);
      if (count > 1) {
        ASSERT_NE(deal.node_at(offset + deal.run_at(offset)), node);
      }
    }
  }
}

TEST(Deal, StripesAreHugePagesWhereTheyFitAndNeverTooManyRanges) {
  constexpr std::uint64_t kMiB = 1U << 20U;
  EXPECT_EQ(Deal::stripe_bytes_for(64 * kPage, {3, 1}, kPage), kPage);
  EXPECT_EQ(Deal::stripe_bytes_for(64 * kMiB, {3, 1}, kPage), 2 * kMiB);
  for (const std::uint64_t bytes : {1ULL << 34U, 1ULL << 40U, (1ULL << 44U) + 12345}) {
    const std::uint64_t stripe = Deal::stripe_bytes_for(bytes, {200, 1}, kPage);
    EXPECT_EQ(stripe % (2 * kMiB), 0U);
    EXPECT_LE(2 * (bytes / (201 * stripe) + 1), 4096U);
  }
}

TEST(PlacementReport, PartsAddUpToTheBytesOfTheSliceAlsoInsidePages) {
  FakePlacementSystem system({10, 10});
  const std::size_t first = reinterpret_cast<std::uintptr_t>(kBase) / kPage;
  system.pages = {{first, 0}, {first + 1, 1}};
  system.strange = {{first + 3, -EACCES}};
  const PlacementReport found = report(system, kBase + 100, 4 * kPage - 200).value();
  EXPECT_EQ(found.on(0), kPage - 100);
  EXPECT_EQ(found.on(1), kPage);
  EXPECT_EQ(found.on(7), 0U);
  EXPECT_EQ(found.absent_bytes, kPage);
  EXPECT_EQ(found.unknown_bytes, kPage - 100);
  EXPECT_EQ(found.bytes, 4 * kPage - 200);
}

TEST(PlacementReport, TheKernelIsAskedInBoundedSlices) {
  FakePlacementSystem system({100'000});
  ASSERT_EQ(system.touch(kBase, 50'000 * kPage), 0);
  EXPECT_EQ(report(system, kBase, 50'000 * kPage).value().on(0), 50'000 * kPage);
  EXPECT_LE(system.longest_question, 4096U);
}

TEST(PlacementReport, ASandboxSaysUnsupported) {
  FakePlacementSystem system({10});
  system.refusal = ENOSYS;
  EXPECT_EQ(report(system, kBase, kPage).error().code(), Code::unsupported);
}

TEST(Migration, MovesWhatIsElsewhereAndLeavesWhatIsRight) {
  FakePlacementSystem system({100, 100});
  ASSERT_TRUE(place(system, kBase, 20 * kPage, Placement::bind({0}), -1).ok());
  ASSERT_TRUE(place(system, kBase + 20 * kPage, 5 * kPage, Placement::bind({1}), -1).ok());
  MigrationReport report = migrate(system, kBase, 30 * kPage, Placement::bind({1}), -1).value();
  EXPECT_EQ(report.moved_pages, 20U);
  EXPECT_EQ(report.placed_pages, 5U);
  EXPECT_EQ(report.absent_pages, 5U);
  EXPECT_EQ(report.failed_pages, 0U);
  EXPECT_EQ(system.on(1), 25U);
  report = migrate(system, kBase, 30 * kPage, Placement::bind({1}), -1).value();
  EXPECT_EQ(report.moved_pages, 0U);
  EXPECT_EQ(report.placed_pages, 25U);
}

TEST(Migration, PagesThatComeLaterComeWhereItSaid) {
  FakePlacementSystem system({100, 100});
  ASSERT_TRUE(migrate(system, kBase, 10 * kPage, Placement::preferred(1), -1));
  ASSERT_EQ(system.touch(kBase, 10 * kPage), 0);
  EXPECT_EQ(system.on(1), 10U);
}

TEST(Migration, InterleaveSharesPagesEvenly) {
  FakePlacementSystem system({100, 100, 100});
  ASSERT_EQ(system.touch(kBase, 30 * kPage), 0);
  ASSERT_TRUE(migrate(system, kBase, 30 * kPage, Placement::interleave({0, 1, 2}), -1));
  EXPECT_EQ(system.on(0), 10U);
  EXPECT_EQ(system.on(2), 10U);
}

TEST(Migration, GoesToTheNearestOfSeveralNodes) {
  FakePlacementSystem system({100, 100, 100, 100});
  ASSERT_TRUE(place(system, kBase, 4 * kPage, Placement::bind({3}), -1).ok());
  ASSERT_TRUE(migrate(system, kBase, 4 * kPage, Placement::bind({0, 2}), -1));
  EXPECT_EQ(system.on(2), 4U);
}

TEST(Migration, PagesOfAHugePageThatMovedWithItsFirstAreMovedNotBusy) {
  FakePlacementSystem system({2000, 2000});
  system.huge = true;
  std::byte* const base = FakePlacementSystem::address(512 * 100);
  ASSERT_EQ(system.touch(base, 1024 * kPage), 0);
  const MigrationReport report = migrate(system, base, 1024 * kPage, Placement::bind({1}), -1).value();
  EXPECT_EQ(report.moved_pages, 1024U);
  EXPECT_EQ(report.failed_pages, 0U);
}

TEST(Migration, HugePagesAreDealtWholeWhereverTheRangeBegins) {
  for (const std::size_t first : {0U, 100U}) {
    FakePlacementSystem system({4000, 4000});
    system.huge = true;
    std::byte* const base = FakePlacementSystem::address(512 * 100 + first);
    ASSERT_EQ(system.touch(base, 2048 * kPage), 0);
    const MigrationReport report = migrate(system, base, 2048 * kPage, Placement::interleave({0, 1}), -1).value();
    EXPECT_EQ(report.moved_pages, 1024U);
    EXPECT_EQ(report.failed_pages, 0U);
    EXPECT_EQ(system.on(0), 1024U);
    EXPECT_EQ(system.on(1), 1024U);
  }
}

TEST(Migration, PagesThatStayAreCountedByReasonAndTheOthersMove) {
  FakePlacementSystem system({100, 6});
  ASSERT_EQ(system.touch(kBase, 10 * kPage), 0);
  const std::size_t first = reinterpret_cast<std::uintptr_t>(kBase) / kPage;
  system.held = {first, first + 1};
  const MigrationReport report = migrate(system, kBase, 10 * kPage, Placement::preferred(1), -1).value();
  EXPECT_EQ(report.moved_pages, 6U);
  EXPECT_EQ(report.failed_pages, 4U);
  ASSERT_THAT(report.failures, SizeIs(2));
  for (const MigrationFailure& failure : report.failures) {
    EXPECT_TRUE(failure.reason.code() == Code::busy || failure.reason.code() == Code::out_of_memory);
    EXPECT_EQ(failure.pages, 2U);
  }
}

TEST(Migration, ACallThatTheKernelBreaksOffIsAReasonAndNoFailure) {
  FakePlacementSystem system({100, 100});
  ASSERT_EQ(system.touch(kBase, 10 * kPage), 0);
  system.move_error = ENOMEM;
  const MigrationReport report = migrate(system, kBase, 10 * kPage, Placement::preferred(1), -1).value();
  EXPECT_EQ(report.moved_pages, 0U);
  ASSERT_THAT(report.failures, SizeIs(1));
  EXPECT_EQ(report.failures[0].reason.code(), Code::out_of_memory);
  EXPECT_EQ(report.failures[0].pages, 10U);
}

TEST(Migration, StrictAndFullMovesNothingAndBindsNothing) {
  FakePlacementSystem system({100, 6});
  ASSERT_EQ(system.touch(kBase, 10 * kPage), 0);
  EXPECT_EQ(migrate(system, kBase, 10 * kPage, Placement::bind({1}), -1).error().code(), Code::out_of_memory);
  EXPECT_EQ(system.on(0), 10U);
  EXPECT_THAT(system.bindings, IsEmpty());
}

TEST(Migration, StrictNeedsRoomForWhatMovesOnly) {
  FakePlacementSystem system({100, 10});
  ASSERT_TRUE(place(system, kBase, 8 * kPage, Placement::bind({1}), -1).ok());
  EXPECT_TRUE(migrate(system, kBase, 8 * kPage, Placement::bind({1}), -1));
}

TEST(Migration, WrongPlacementsChangeNothing) {
  FakePlacementSystem system({100, 10});
  ASSERT_EQ(system.touch(kBase, 8 * kPage), 0);
  EXPECT_EQ(migrate(system, kBase, 8 * kPage, Placement::bind({9}), -1).error().code(), Code::not_found);
  EXPECT_EQ(migrate(system, kBase, 8 * kPage, Placement::local(), -1).error().code(), Code::invalid_argument);
  EXPECT_THAT(system.bindings, IsEmpty());
}

/// Pages of this machine's kernel.
class RealPages : public testing::Test {
 protected:
  void SetUp() override {
    const Topology topology = PlacementSystem::process().topology().value();
    for (const MemoryNode& node : topology.nodes) {
      if (node.usable && node.available_bytes > 4 * kBytes) nodes_.push_back(node.id);
    }
    mapped_ = ::mmap(nullptr, 2 * kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(mapped_, MAP_FAILED);
    memory_ = static_cast<std::byte*>(mapped_) + kBytes - reinterpret_cast<std::uintptr_t>(mapped_) % kBytes;
    if (!report(PlacementSystem::process(), memory_, kBytes)) GTEST_SKIP() << "no move_pages here";
    if (nodes_.empty()) GTEST_SKIP() << "no node has room";
  }
  void TearDown() override { ::munmap(mapped_, 2 * kBytes); }

  static constexpr std::size_t kBytes = std::size_t{16} << 20U;
  void* mapped_ = nullptr;
  std::byte* memory_ = nullptr;
  std::vector<int> nodes_;
};

TEST_F(RealPages, UntouchedMemoryIsAbsentAndStrictMemoryIsWhereItWasBound) {
  PlacementSystem& system = PlacementSystem::process();
  EXPECT_EQ(report(system, memory_, kBytes).value().absent_bytes, kBytes);
  const Status placed = place(system, memory_, kBytes, Placement::bind({nodes_.back()}), -1);
  if (placed.native() == EPERM || placed.native() == ENOSYS) GTEST_SKIP() << placed.to_string();
  ASSERT_TRUE(placed.ok()) << placed.to_string();
  EXPECT_EQ(report(system, memory_, kBytes).value().on(nodes_.back()), kBytes);
}

TEST_F(RealPages, HugePagesAreCountedWhereTheKernelTells) {
  PlacementSystem& system = PlacementSystem::process();
  ::madvise(memory_, kBytes, MADV_NOHUGEPAGE);
  ASSERT_EQ(system.touch(memory_, kBytes), 0);
  const auto huge = report(system, memory_, kBytes).value().huge_page_bytes;
  if (!huge) GTEST_SKIP() << "before Linux 6.7";
  EXPECT_EQ(*huge, 0U);
}

TEST_F(RealPages, PoliciesAndMigrationsPutPagesWhereTheySay) {
  if (nodes_.size() < 2) GTEST_SKIP() << "one node: tests/guest runs this on several";
  PlacementSystem& system = PlacementSystem::process();
  ASSERT_TRUE(place(system, memory_, kBytes, Placement::bind({nodes_[0]}), -1).ok());
  const MigrationReport moved = migrate(system, memory_, kBytes, Placement::bind({nodes_[1]}), -1).value();
  EXPECT_EQ(moved.moved_pages * moved.page_bytes, kBytes);
  EXPECT_GT(moved.bytes_per_second(), 0);
  EXPECT_EQ(report(system, memory_, kBytes).value().on(nodes_[1]), kBytes);
  ASSERT_TRUE(migrate(system, memory_, kBytes, Placement::weighted_interleave({nodes_[0], nodes_[1]}, {3, 1}), -1));
  EXPECT_EQ(report(system, memory_, kBytes).value().on(nodes_[0]), kBytes / 4 * 3);
}

TEST_F(RealPages, StripesAndInterleaveDealFreshMemory) {
  if (nodes_.size() < 2) GTEST_SKIP() << "one node: tests/guest runs this on several";
  PlacementSystem& system = PlacementSystem::process();
  ::madvise(memory_, kBytes, MADV_NOHUGEPAGE);
  const std::size_t half = kBytes / 2;
  Placement weighted = Placement::weighted_interleave({nodes_[0], nodes_[1]}, {1, 3});
  weighted.strict = true;
  ASSERT_TRUE(place(system, memory_, half, weighted, -1).ok());
  EXPECT_EQ(report(system, memory_, half).value().on(nodes_[1]), half / 4 * 3);
  Placement interleave = Placement::interleave({nodes_[0], nodes_[1]});
  interleave.strict = true;
  ASSERT_TRUE(place(system, memory_ + half, half, interleave, -1).ok());
  EXPECT_EQ(report(system, memory_ + half, half).value().on(nodes_[0]), half / 2);
}

/// The processors that a thread may run on after `bind`, and what it answered.
std::pair<Status, int> bound_processors(const Topology& topology, int node) {
  std::pair<Status, int> result;
  std::thread([&] {
    result.first = bind_this_thread(topology, node);
    cpu_set_t set;
    ::sched_getaffinity(0, sizeof set, &set);
    result.second = CPU_COUNT(&set);
  }).join();
  return result;
}

TEST(BindThisThread, RunsNearTheNodeAlsoWhereItHasNoProcessors) {
  Topology topology = read_topology().value();
  MemoryNode far;
  far.id = 900;
  far.access.initiators = {topology.nodes[0].id};
  topology.nodes.push_back(far);
  const int cpu = topology.allowed_cpus.front();
  topology.nodes[0].cpus = {cpu};
  for (const int node : {topology.nodes[0].id, 900}) {
    const auto [status, processors] = bound_processors(topology, node);
    ASSERT_TRUE(status.ok()) << status.to_string();
    EXPECT_EQ(processors, 1);
  }
}

TEST(BindThisThread, LeavesTheThreadAsItWasWhereItCannot) {
  Topology topology = read_topology().value();
  const int before = bound_processors(topology, 4095).second;
  EXPECT_EQ(bound_processors(topology, 4095).first.code(), Code::not_found);
  topology.allowed_cpus.clear();
  const auto [status, processors] = bound_processors(topology, topology.nodes[0].id);
  EXPECT_EQ(status.code(), Code::permission_denied);
  EXPECT_EQ(processors, before);
}

}  // namespace
}  // namespace gpuio::core::placement
