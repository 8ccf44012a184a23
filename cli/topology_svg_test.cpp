// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/terminal.h"
#include "cli/topology_columns.h"
#include "cli/topology_words.h"

namespace gpuio::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

MemoryNode node(int id, std::vector<int> cpus, std::vector<NodeDistance> distances = {}) {
  MemoryNode node;
  node.id = id;
  node.total_bytes = 64ULL << 30U;
  node.free_bytes = 16ULL << 30U;
  node.cpus = std::move(cpus);
  node.usable = true;
  node.distances = std::move(distances);
  return node;
}

TopologyDevice device(DeviceKind kind, std::string address, int near, std::vector<std::string> bridges) {
  TopologyDevice device;
  device.kind = kind;
  device.name = "dev " + address;
  device.address = std::move(address);
  device.node = near;
  device.bridges = std::move(bridges);
  return device;
}

/// Two nodes with processors, and one of CXL memory nearer to the second.
Topology machine() {
  Topology topology;
  topology.nodes = {node(0, {0, 1}, {{0, 10}, {1, 21}, {2, 24}}), node(1, {2, 3}, {{0, 21}, {1, 10}, {2, 14}}),
                    node(2, {}, {{0, 24}, {1, 14}, {2, 10}})};
  topology.nodes[2].tier = MemoryTier::cxl;
  topology.devices = {device(DeviceKind::network, "0000:02:00.0", 0, {"r", "s"}),
                      device(DeviceKind::accelerator, "0000:03:00.0", 0, {"r", "s", "d"}),
                      device(DeviceKind::storage, "0000:04:00.0", 1, {"r"})};
  topology.allowed_cpus = {0, 1, 2};
  return topology;
}

TEST(TopologyWords, IdsAreRanges) {
  EXPECT_EQ(format_ids(std::vector<int>{0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
  EXPECT_EQ(format_ids({}), "-");
}

TEST(TopologyWords, LinksSayWhatIsInUseOfWhatCouldBe) {
  PciLink link{.speed_gt_per_second = 16, .width = 2, .speed_max_gt_per_second = 16, .width_max = 4};
  EXPECT_EQ(format_link(link), "x2 of x4 16 GT/s, 3.94 GB/s");
  EXPECT_TRUE(is_narrowed(link));
  link = {.speed_gt_per_second = 2.5, .width = 16, .speed_max_gt_per_second = 32, .width_max = 16};
  EXPECT_EQ(format_link(link), "x16 2.5 of 32 GT/s, 4.00 GB/s");
  EXPECT_EQ(format_link({}), "");
}

TEST(TopologyColumns, MemoryWithoutProcessorsStandsBelowTheNearestNode) {
  const Topology topology = machine();
  const std::vector<TopologyColumn> columns = columns_of(topology);
  ASSERT_EQ(columns.size(), 2U);
  EXPECT_TRUE(columns[0].memory.empty());
  ASSERT_EQ(columns[1].memory.size(), 1U);
  EXPECT_EQ(columns[1].memory[0]->id, 2);
}

TEST(TopologyColumns, InitiatorsGoBeforeDistances) {
  Topology topology = machine();
  topology.nodes[2].access.initiators = {0};
  EXPECT_EQ(columns_of(topology)[0].memory.size(), 1U);
}

TEST(TopologyColumns, DevicesOfASwitchStandTogether) {
  const Topology topology = machine();
  const std::vector<TopologyColumn> columns = columns_of(topology);
  ASSERT_EQ(columns[0].groups.size(), 1U);
  EXPECT_EQ(columns[0].groups[0].bridge, "s");
  ASSERT_EQ(columns[0].groups[0].devices.size(), 2U);
  EXPECT_EQ(columns[0].groups[0].devices[0]->kind, DeviceKind::accelerator);
  EXPECT_EQ(columns[1].groups[0].bridge, "");
}

TEST(TopologyColumns, WhatIsNearNoKnownNodeHasAColumnOfItsOwn) {
  Topology topology = machine();
  topology.devices[1].node = -1;
  const std::vector<TopologyColumn> columns = columns_of(topology);
  ASSERT_EQ(columns.size(), 3U);
  EXPECT_EQ(columns[2].node, nullptr);
  EXPECT_EQ(columns[2].groups.size(), 1U);
}

TEST(TopologySvg, EveryNodeAndDeviceIsInThePicture) {
  const Topology topology = machine();
  const std::string picture = topology_svg(topology);
  for (const char* text : {">node 0<", ">node 1<", ">node 2<", "64.0 GiB cxl", "dev 0000:03:00.0", "switch s"}) {
    EXPECT_THAT(picture, HasSubstr(text));
  }
  EXPECT_THAT(picture, HasSubstr("class=\"cpu-off\"")) << "processor 3 is not ours";
}

TEST(TopologySvg, NamesOfDevicesCannotBreakThePicture) {
  Topology topology = machine();
  topology.devices[0].name = "</svg><script>alert(1)</script>";
  EXPECT_THAT(topology_svg(topology), Not(HasSubstr("<script")));
}

TEST(TopologySvg, AnEmptyTopologyIsStillAPicture) { EXPECT_THAT(topology_svg({}), HasSubstr("</svg>")); }

TEST(TopologyText, NodesThatAreNotOursSayWhy) {
  Topology topology = machine();
  topology.nodes[1].usable = false;
  topology.nodes[1].reason = "its cpuset";
  EXPECT_THAT(topology_text(topology, Terminal()), HasSubstr("node 1: its cpuset"));
}

}  // namespace
}  // namespace gpuio::cli
