// SPDX-License-Identifier: Apache-2.0
// Memory nodes as a user of the library meets them: topology, placement, report and migration through a Context.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "support/fake_context.h"

namespace gpuio::tests {
namespace {

constexpr std::uint64_t kBytes = 4U << 20U;
constexpr int kNoSuchNode = 1000;

class ContextPlacement : public testing::Test {
 protected:
  void SetUp() override {
    const Topology topology = fake_.context.topology().value();
    const auto usable = std::ranges::find(topology.nodes, true, &MemoryNode::usable);
    ASSERT_NE(usable, topology.nodes.end());
    node_ = usable->id;
  }

  const FakeContext fake_ = make_fake_context();
  const Device host_ = fake_.context.device("host").value();
  int node_ = -1;
};

TEST_F(ContextPlacement, StrictMemoryIsWhereItWasAskedForAndThereAtOnce) {
  for (const RegionKind kind : {RegionKind::device, RegionKind::pinned, RegionKind::mapped}) {
    const auto buffer = host_.allocate(kBytes, {.kind = kind, .placement = Placement::bind({node_})});
    if (!buffer && buffer.error().code() == Code::permission_denied) GTEST_SKIP() << buffer.error().to_string();
    if (!buffer && buffer.error().code() == Code::resource_exhausted) continue;  // The memlock limit.
    ASSERT_TRUE(buffer) << buffer.error().to_string();
    const PlacementReport report = Slice(*buffer).placement().value();
    EXPECT_EQ(report.on(node_), kBytes) << to_string(kind);
    EXPECT_EQ(report.absent_bytes, 0U);
  }
}

TEST_F(ContextPlacement, OtherMemoryIsThereWhenItIsTouched) {
  const Buffer buffer = host_.allocate(kBytes, {.placement = Placement::interleave()}).value();
  const Result<PlacementReport> before = Slice(buffer).placement();
  if (!before) GTEST_SKIP() << before.error().to_string();
  EXPECT_EQ(before->absent_bytes, kBytes);
  std::memset(buffer.data(), 1, kBytes);
  EXPECT_EQ(Slice(buffer).placement().value().absent_bytes, 0U);
}

TEST_F(ContextPlacement, NodesThatAreNotThereAreRefusedAndNothingIsAllocated) {
  for (const Placement& placement : {Placement::bind({kNoSuchNode}), Placement::preferred(kNoSuchNode),
                                     Placement::interleave({node_, kNoSuchNode})}) {
    const Status status = host_.allocate(kBytes, {.placement = placement}).error();
    EXPECT_EQ(status.code(), Code::not_found);
    EXPECT_NE(status.message().find("node=1000"), std::string_view::npos) << status.to_string();
  }
}

TEST_F(ContextPlacement, StrictMemoryBeyondWhatThereIsIsRefusedBeforeTheKernelKills) {
  const Status status = host_.allocate(1ULL << 46U, {.placement = Placement::bind({node_})}).error();
  EXPECT_EQ(status.code(), Code::out_of_memory);
}

TEST_F(ContextPlacement, BytesSurviveAMigrationAndAPinForbidsIt) {
  const Buffer buffer = host_.allocate(kBytes).value();
  std::memset(buffer.data(), 5, kBytes);
  const Result<MigrationReport> moved = Slice(buffer).migrate(Placement::preferred(node_));
  if (!moved && moved.error().code() == Code::unsupported) GTEST_SKIP() << moved.error().to_string();
  ASSERT_TRUE(moved) << moved.error().to_string();
  EXPECT_EQ((moved->moved_pages + moved->placed_pages) * moved->page_bytes, kBytes);
  EXPECT_EQ(buffer.data()[kBytes - 1], std::byte{5});
  const Pin pin = Slice(buffer).pin().value();
  EXPECT_EQ(Slice(buffer).migrate(Placement::preferred(node_)).error().code(), Code::busy);
}

TEST_F(ContextPlacement, TheDoctorSpeaksOfNodesAndCxl) {
  const std::vector<Finding> findings = fake_.context.diagnose();
  EXPECT_NE(std::ranges::find(findings, "numa", &Finding::subject), findings.end());
  EXPECT_TRUE(std::ranges::any_of(findings, [](const Finding& finding) { return finding.subject.starts_with("cxl"); }));
}

TEST(ContextSettings, ANumaNodeThatIsNotThereIsRefusedWhenTheContextIsMade) {
  try {
    static_cast<void>(make_fake_context({{"memory.numa_node", "1000"}}));
    FAIL() << "a Context was made";
  } catch (const Error& error) {
    EXPECT_EQ(error.status().code(), Code::invalid_argument);
    EXPECT_NE(error.status().message().find("memory.numa_node"), std::string_view::npos);
  }
}

TEST(ContextSettings, ANumaNodeThatIsThereServes) {
  const int node = read_topology().value().nodes.front().id;
  const FakeContext fake = make_fake_context({{"memory.numa_node", std::to_string(node)}});
  EXPECT_TRUE(fake.context.device("host").has_value());
}

}  // namespace
}  // namespace gpuio::tests
