// SPDX-License-Identifier: Apache-2.0
// Placement and migration on a machine with several nodes, of which one has no processors (GPUIO_GUEST_FAR_NODE): what
// the library does and reports is compared with what the kernel says of the same pages.
#include <gtest/gtest.h>
#include <sched.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "gpuio/context.hpp"
#include "gpuio/placement.hpp"
#include "gpuio/topology.hpp"
#include "guest/environment.h"
#include "guest/numa_maps.h"

namespace gpuio::guest {
namespace {

// CXL memory as a node is emulated a megabyte a second, so not more.
constexpr std::uint64_t kBytes = 2U << 20U;
// What rounding to pages and to the turns of an interleaving may shift.
constexpr std::uint64_t kSlackBytes = 64U << 10U;

class Nodes : public testing::Test {
 protected:
  [[nodiscard]] Result<Buffer> place(Placement placement, std::uint64_t bytes = kBytes) const {
    // Small pages: a huge one lies on one node, and three nodes would take megabytes to be dealt with.
    placement.huge_pages = HugePages::never;
    return host_.allocate(bytes, {.placement = std::move(placement)});
  }
  /// Placed and touched.
  [[nodiscard]] Buffer filled(const Placement& placement) const {
    Buffer buffer = place(placement).value();
    std::mt19937_64 random(1);
    for (std::uint64_t at = 0; at < kBytes; at += 8) {
      const std::uint64_t word = random();
      std::memcpy(buffer.data() + at, &word, sizeof word);
    }
    return buffer;
  }
  static void expect_filled(const Buffer& buffer) {
    std::mt19937_64 random(1);
    for (std::uint64_t at = 0; at < kBytes; at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, buffer.data() + at, sizeof word);
      ASSERT_EQ(word, random()) << "at " << at;
    }
  }

  /// The kernel's numbers, after the library's have been found to be the same.
  [[nodiscard]] static KernelMapping where(const Buffer& buffer) {
    const PlacementReport report = Slice(buffer).placement().value();
    KernelMapping kernel = kernel_mapping(buffer.data(), buffer.size());
    EXPECT_EQ(report.bytes, buffer.size());
    EXPECT_EQ(report.absent_bytes + report.unknown_bytes, 0U);
    for (const NodeBytes& part : report.nodes)
      EXPECT_NEAR(static_cast<double>(part.bytes), static_cast<double>(kernel.on(part.node)), kSlackBytes) << part.node;
    return kernel;
  }

  Context context_ = Context::create().value();
  Device host_ = context_.device("host").value();
  int far_ = number_of("GPUIO_GUEST_FAR_NODE");
};

void expect_share(const KernelMapping& kernel, int node, double share) {
  EXPECT_NEAR(static_cast<double>(kernel.on(node)), share * kBytes, kSlackBytes) << "node " << node;
}

using FarNode = Nodes;

TEST_F(FarNode, IsMemoryWithoutProcessors) {
  const Topology topology = context_.topology().value();
  const MemoryNode* const node = topology.node(far_);
  ASSERT_NE(node, nullptr);
  EXPECT_TRUE(node->cpus.empty());
  EXPECT_TRUE(node->usable) << node->reason;
  EXPECT_GT(node->free_bytes, kBytes);
  EXPECT_GT(topology.distance(0, far_), topology.distance(0, 0));
  EXPECT_FALSE(topology.cpus_near(far_).empty()) << "somebody is nearest";
  std::printf("fact: node %d is %s, %llu MiB\n", far_, std::string(to_string(node->tier)).c_str(),
              static_cast<unsigned long long>(node->total_bytes >> 20U));
}

TEST_F(FarNode, HoldsWhatIsBoundToIt) {
  const Buffer buffer = filled(Placement::bind({far_}));
  const KernelMapping kernel = where(buffer);
  EXPECT_TRUE(kernel.policy.starts_with("bind")) << kernel.policy;
  expect_share(kernel, far_, 1);
  expect_filled(buffer);
}

TEST_F(FarNode, PagesMoveThereAndBackWithTheirBytes) {
  const Buffer buffer = filled(Placement::bind({0}));
  expect_share(where(buffer), 0, 1);
  for (const int node : {far_, 0}) {
    const MigrationReport report = Slice(buffer).migrate(Placement::bind({node})).value();
    EXPECT_EQ(report.failed_pages, 0U) << (report.failures.empty() ? "" : report.failures[0].reason.to_string());
    EXPECT_EQ(report.moved_pages * report.page_bytes, kBytes);
    EXPECT_GT(report.seconds, 0);
    expect_share(where(buffer), node, 1);
    expect_filled(buffer);
    std::printf("fact: %llu pages moved to node %d, none failed\n", static_cast<unsigned long long>(report.moved_pages),
                node);
  }
}

TEST_F(FarNode, PagesThatAreRightAlreadyAreNotMoved) {
  const Buffer buffer = filled(Placement::bind({far_}));
  const MigrationReport report = Slice(buffer).migrate(Placement::bind({far_})).value();
  EXPECT_EQ(report.moved_pages, 0U);
  EXPECT_EQ(report.placed_pages * report.page_bytes, kBytes);
}

TEST_F(Nodes, PreferredMemoryLiesOnThatNodeWhileItHasRoom) {
  expect_share(where(filled(Placement::preferred(far_))), far_, 1);
}

TEST_F(Nodes, InterleavedMemoryIsDealtEvenly) {
  const KernelMapping kernel = where(filled(Placement::interleave({0, 1, far_})));
  for (const int node : {0, 1, far_}) expect_share(kernel, node, 1.0 / 3);
}

TEST_F(Nodes, WeightedMemoryIsDealtByItsWeights) {
  const KernelMapping kernel = where(filled(Placement::weighted_interleave({0, far_}, {3, 1})));
  expect_share(kernel, 0, 0.75);
  expect_share(kernel, far_, 0.25);
}

TEST_F(Nodes, LocalMemoryIsNearToTheThreadThatTouchesIt) {
  const Topology topology = context_.topology().value();
  std::jthread([&] {
    throw_if_failed(bind_this_thread(topology, 1));
    EXPECT_EQ(topology.cpus_near(1), std::vector<int>{sched_getcpu()});
    const Buffer buffer = filled(Placement::local());
    EXPECT_EQ(Slice(buffer).placement().value().on(1), kBytes);
    // Without a policy of its own, the kernel may have joined it to memory beside it.
    EXPECT_GE(kernel_mapping(buffer.data(), kBytes).on(1), kBytes);
  }).join();
}

/// How long threads that are bound to the node have run.
std::uint64_t worked_ns(const MemoryNode& node) {
  std::uint64_t sum = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    cpu_set_t cpus;
    if (sched_getaffinity(std::stoi(task.path().filename()), sizeof cpus, &cpus) != 0) continue;
    for (const int cpu : node.cpus) CPU_CLR(static_cast<std::size_t>(cpu), &cpus);
    std::uint64_t ran = 0;
    if (CPU_COUNT(&cpus) == 0 && std::ifstream(task.path() / "schedstat") >> ran) sum += ran;
  }
  return sum;
}

TEST_F(Nodes, CopiesAreMadeByWorkersOfTheDestinationsNode) {
  const Topology topology = context_.topology().value();
  for (const int node : {1, 0}) {
    const MemoryNode& other = *topology.node(1 - node);
    const Buffer from = filled(Placement::bind({other.id}));
    const Buffer to = place(Placement::bind({node})).value();
    std::memset(to.data(), 0, kBytes);
    const std::uint64_t near_before = worked_ns(*topology.node(node));
    const std::uint64_t far_before = worked_ns(other);
    for (int i = 0; i < 20; ++i) throw_if_failed(context_.copy(from, to).value().wait());
    const std::uint64_t near = worked_ns(*topology.node(node)) - near_before;
    const std::uint64_t far = worked_ns(other) - far_before;
    EXPECT_GT(near, 0U);
    EXPECT_LT(far, near / 2) << "asking where pages are, and no more";
    expect_filled(to);
    std::printf("fact: copies to node %d: %llu us of its worker, %llu us of the other's\n", node,
                static_cast<unsigned long long>(near / 1000), static_cast<unsigned long long>(far / 1000));
  }
}

TEST_F(Nodes, StrictMemoryBeyondANodesSizeIsRefusedAndNothingIsKept) {
  const auto free_bytes = [this] { return context_.topology().value().node(far_)->free_bytes; };
  const std::uint64_t before = free_bytes();
  const std::uint64_t more = context_.topology().value().node(far_)->total_bytes + kBytes;
  EXPECT_EQ(place(Placement::bind({far_}), more).status().code(), Code::out_of_memory);
  EXPECT_NEAR(static_cast<double>(free_bytes()), static_cast<double>(before), 8.0 * kBytes);
}

TEST_F(Nodes, ANodeThatIsNotIsNamedAndNothingIsAllocated) {
  const Result<Buffer> buffer = place(Placement::bind({0, 9}));
  EXPECT_EQ(buffer.status().code(), Code::not_found);
  EXPECT_NE(buffer.status().to_string().find('9'), std::string::npos) << buffer.status().to_string();
}

TEST_F(Nodes, PinnedMemoryIsNotMovedUnderADevice) {
  const Buffer buffer = host_.allocate(kBytes, {.kind = RegionKind::pinned, .placement = Placement::bind({0})}).value();
  std::memset(buffer.data(), 1, kBytes);
  EXPECT_EQ(Slice(buffer).migrate(Placement::bind({far_})).status().code(), Code::busy);
  expect_share(where(buffer), 0, 1);
}

// The lane runs this one in a cpuset without the far node.
TEST(Cpuset, ANodeThatItForbidsIsRefusedAndSoTold) {
  const int far = number_of("GPUIO_GUEST_FAR_NODE");
  const Context context = Context::create().value();
  const Topology topology = context.topology().value();
  ASSERT_NE(topology.node(far), nullptr);
  EXPECT_FALSE(topology.node(far)->usable);
  EXPECT_FALSE(topology.node(far)->reason.empty());
  const Device host = context.device("host").value();
  const Result<Buffer> buffer = host.allocate(kBytes, {.placement = Placement::bind({far})});
  EXPECT_EQ(buffer.status().code(), Code::permission_denied) << buffer.status().to_string();
  const Buffer allowed = host.allocate(kBytes, {.placement = Placement::bind({1})}).value();
  std::memset(allowed.data(), 1, kBytes);
  expect_share(kernel_mapping(allowed.data(), kBytes), 1, 1);
}

}  // namespace
}  // namespace gpuio::guest
