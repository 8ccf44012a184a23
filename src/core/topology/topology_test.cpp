// SPDX-License-Identifier: Apache-2.0
#include "gpuio/topology.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "core/topology/testing/tree.h"

namespace gpuio::core::topology {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kGiB = 1ULL << 30U;

Topology read(const Tree& tree) { return read_topology(tree.root()).value(); }

std::string finding_of(const Topology& topology, std::string_view subject) {
  for (const Finding& finding : topology.diagnose()) {
    if (finding.subject == subject) return finding.text + " | " + finding.fix;
  }
  return "none";
}

TEST(Topology, ThisMachineHasANodeThatWeMayUseAndProcessorsNearIt) {
  const Topology topology = read_topology().value();
  const auto usable = std::ranges::find(topology.nodes, true, &MemoryNode::usable);
  ASSERT_NE(usable, topology.nodes.end());
  EXPECT_GT(usable->total_bytes, usable->free_bytes);
  EXPECT_GE(usable->available_bytes, usable->free_bytes);
  EXPECT_FALSE(topology.cpus_near(usable->id).empty());
  EXPECT_FALSE(topology.allowed_cpus.empty());
}

TEST(Topology, OneNodeIsEveryDevicesNearest) {
  const Topology topology = read(Tree("one_node"));
  ASSERT_EQ(topology.nodes.size(), 1U);
  EXPECT_EQ(topology.nodes[0].total_bytes, 14903500ULL << 10U);
  EXPECT_THAT(topology.nodes[0].cpus, ElementsAre(0, 1));
  ASSERT_EQ(topology.devices.size(), 2U);
  EXPECT_EQ(topology.devices[0].name, "vda");
  EXPECT_EQ(topology.devices[0].kind, DeviceKind::storage);
  EXPECT_EQ(topology.devices[1].name, "eth0");
  EXPECT_EQ(topology.devices[1].driver, "virtio-pci");
  for (const TopologyDevice& device : topology.devices) EXPECT_EQ(device.node, 0);
}

TEST(Topology, MemoryWithoutProcessorsHasTheTierRatesAndInitiatorsThatFirmwareTells) {
  const Topology topology = read(Tree("far_node"));
  ASSERT_EQ(topology.nodes.size(), 3U);
  const MemoryNode& far = *topology.node(2);
  EXPECT_THAT(far.cpus, IsEmpty());
  EXPECT_EQ(far.tier, MemoryTier::far);
  EXPECT_EQ(far.kernel_tier, 56);
  EXPECT_EQ(far.access.read_bandwidth_bytes_per_second, 50'000'000U);
  EXPECT_EQ(far.access.read_latency_ns, 250U);
  EXPECT_THAT(far.access.initiators, ElementsAre(1));
  EXPECT_EQ(topology.distance(0, 2), 31U);
  EXPECT_EQ(topology.distance(1, 0), 21U);
  EXPECT_EQ(topology.distance(0, 7), 0U);
  EXPECT_THAT(topology.cpus_near(2), ElementsAre(1));
}

TEST(Topology, CxlMemoryOnLineIsANodeOfTierCxl) {
  const Topology topology = read(Tree("cxl_system_ram"));
  ASSERT_NE(topology.node(2), nullptr);
  EXPECT_EQ(topology.node(2)->tier, MemoryTier::cxl);
  ASSERT_EQ(topology.dax_devices.size(), 1U);
  const DaxDevice& dax = topology.dax_devices[0];
  EXPECT_EQ(dax.mode, DaxMode::system_ram);
  EXPECT_EQ(dax.target_node, 2);
  EXPECT_EQ(dax.region, "region0");
  EXPECT_EQ(dax.path, "");
  ASSERT_EQ(topology.cxl_regions.size(), 1U);
  EXPECT_EQ(topology.cxl_regions[0].node, 2);
  EXPECT_THAT(topology.cxl_regions[0].memories, ElementsAre("mem0"));
}

TEST(Topology, CxlMemoryThatFirmwareMadeANodeIsFoundByItsAddress) {
  const Tree tree("cxl_system_ram");
  tree.remove("sys/bus/dax");
  const Topology topology = read(tree);
  EXPECT_THAT(topology.dax_devices, IsEmpty());
  EXPECT_EQ(topology.cxl_regions[0].node, 2);
  EXPECT_EQ(topology.node(2)->tier, MemoryTier::cxl);
}

TEST(Topology, CxlMemoryAsDevdaxIsNoNodeAndHasAPath) {
  const Topology topology = read(Tree("cxl_devdax"));
  ASSERT_EQ(topology.dax_devices.size(), 1U);
  const DaxDevice& dax = topology.dax_devices[0];
  EXPECT_EQ(dax.mode, DaxMode::devdax);
  EXPECT_EQ(dax.path, "/dev/dax0.0");
  EXPECT_EQ(dax.size_bytes, 512ULL << 20U);
  EXPECT_EQ(dax.align_bytes, 2ULL << 20U);
  ASSERT_EQ(topology.cxl_memories.size(), 1U);
  EXPECT_EQ(topology.cxl_memories[0].address, "0000:0d:00.0");
  EXPECT_EQ(topology.cxl_memories[0].ram_bytes, 512ULL << 20U);
  ASSERT_EQ(topology.cxl_regions.size(), 1U);
  EXPECT_TRUE(topology.cxl_regions[0].committed);
  EXPECT_EQ(topology.cxl_regions[0].node, -1);
  EXPECT_EQ(topology.node(2), nullptr);
}

TEST(Topology, DecodersAreOrderedFromTheRootDownAndSayWhatTheyServe) {
  const Topology topology = read(Tree("cxl_devdax"));
  std::vector<std::string> names;
  for (const CxlDecoder& decoder : topology.cxl_decoders) names.push_back(decoder.name);
  EXPECT_THAT(names, ElementsAre("decoder0.0", "decoder1.0", "decoder2.0"));
  EXPECT_EQ(topology.cxl_decoders[0].kind, CxlDecoderKind::root);
  EXPECT_EQ(topology.cxl_decoders[0].size_bytes, 4 * kGiB);
  EXPECT_EQ(topology.cxl_decoders[1].kind, CxlDecoderKind::port);
  EXPECT_EQ(topology.cxl_decoders[2].kind, CxlDecoderKind::endpoint);
  EXPECT_EQ(topology.cxl_decoders[2].port, "endpoint2");
  EXPECT_EQ(topology.cxl_decoders[2].mode, "ram");
  EXPECT_EQ(topology.cxl_decoders[2].region, "region0");
}

TEST(Topology, PersistentCxlMemoryIsTold) {
  const Topology topology = read(Tree("cxl_pmem"));
  ASSERT_EQ(topology.cxl_memories.size(), 1U);
  EXPECT_EQ(topology.cxl_memories[0].pmem_bytes, 512ULL << 20U);
  EXPECT_EQ(topology.cxl_memories[0].ram_bytes, 0U);
  ASSERT_EQ(topology.cxl_regions.size(), 1U);
  EXPECT_EQ(topology.cxl_regions[0].mode, "pmem");
  ASSERT_EQ(topology.dax_devices.size(), 1U);
  EXPECT_EQ(topology.dax_devices[0].mode, DaxMode::devdax);
  EXPECT_EQ(topology.dax_devices[0].region, "region0");
  EXPECT_EQ(topology.dax_devices[0].target_node, 2);
}

TEST(Topology, AnNvdimmsRegionIsNoCxlRegion) {
  const Tree tree("one_node");
  tree.write("sys/devices/LNXSYSTM:00/ndbus0/region0/dax0.1/dax0.0/size", "1073741824");
  tree.link("sys/bus/dax/devices/dax0.0", "../../../devices/LNXSYSTM:00/ndbus0/region0/dax0.1/dax0.0");
  const Topology topology = read(tree);
  ASSERT_EQ(topology.dax_devices.size(), 1U);
  EXPECT_EQ(topology.dax_devices[0].size_bytes, kGiB);
  EXPECT_EQ(topology.dax_devices[0].region, "");
}

TEST(Topology, DevicesHaveTheirNodeTheirLinkAndTheBridgesAbove) {
  const Topology topology = read(Tree("two_sockets"));
  const auto gpu = std::ranges::find(topology.devices, "0000:9a:00.0", &TopologyDevice::address);
  ASSERT_NE(gpu, topology.devices.end());
  EXPECT_EQ(gpu->kind, DeviceKind::accelerator);
  EXPECT_EQ(gpu->name, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(gpu->vendor, "NVIDIA");
  EXPECT_EQ(gpu->driver, "nvidia");
  EXPECT_EQ(gpu->node, 1);
  EXPECT_THAT(gpu->bridges, ElementsAre("0000:97:01.0", "0000:98:00.0"));
  EXPECT_EQ(gpu->link.width, 16U);
  EXPECT_DOUBLE_EQ(gpu->link.speed_gt_per_second, 2.5);
  EXPECT_EQ(gpu->link.bytes_per_second(), 4'000'000'000U);
  EXPECT_EQ(gpu->link.max_bytes_per_second() / 1'000'000'000, 63U);
  EXPECT_EQ(std::ranges::count(topology.devices, DeviceKind::accelerator, &TopologyDevice::kind), 4);
  EXPECT_EQ(std::ranges::count(topology.devices, DeviceKind::storage, &TopologyDevice::kind), 4);
}

TEST(Topology, AServersConsoleIsNoAccelerator) {
  for (const TopologyDevice& device : read(Tree("two_sockets")).devices) EXPECT_NE(device.address, "0000:02:00.0");
}

TEST(Topology, ARegionOverTwoDevicesNamesBothInOrder) {
  const Topology topology = read(Tree("two_sockets"));
  ASSERT_EQ(topology.cxl_regions.size(), 1U);
  EXPECT_EQ(topology.cxl_regions[0].interleave_ways, 2U);
  EXPECT_THAT(topology.cxl_regions[0].memories, ElementsAre("mem0", "mem1"));
  EXPECT_EQ(topology.node(2)->tier, MemoryTier::cxl);
  EXPECT_EQ(topology.node(2)->total_bytes, 512 * kGiB);
}

TEST(Topology, TheLeastLimitOfTheControlGroupsAboveIsTold) {
  const Tree tree("two_sockets");
  EXPECT_EQ(read(tree).memory_limit_bytes, 768 * kGiB);
  tree.write("sys/fs/cgroup/jobs/memory.max", std::to_string(64 * kGiB));
  EXPECT_EQ(read(tree).memory_limit_bytes, 64 * kGiB);
}

TEST(Topology, AMachineWithoutLimitHasNone) { EXPECT_EQ(read(Tree("one_node")).memory_limit_bytes, 0U); }

TEST(Topology, ANodeThatTheCpusetLeavesOutIsThereAndNotUsable) {
  const Tree tree("two_sockets");
  tree.write("proc/self/status", "Cpus_allowed_list:\t0-31\nMems_allowed_list:\t0,2");
  const Topology topology = read(tree);
  EXPECT_TRUE(topology.node(0)->usable);
  EXPECT_FALSE(topology.node(1)->usable);
  EXPECT_THAT(topology.node(1)->reason, HasSubstr("cpuset"));
  EXPECT_TRUE(topology.node(2)->usable);
  EXPECT_EQ(topology.allowed_cpus.size(), 32U);
  EXPECT_THAT(finding_of(topology, "numa node 1"), HasSubstr("cpuset.mems"));
}

TEST(Topology, ANodeThatIsOffLineIsNamedAndNoNode) {
  const Topology topology = read(Tree("two_sockets"));
  EXPECT_THAT(topology.offline_nodes, ElementsAre(3));
  EXPECT_EQ(topology.node(3), nullptr);
}

TEST(Topology, ProcessorsWithoutMemoryAreANodeThatHoldsNone) {
  const Tree tree("far_node");
  tree.write("sys/devices/system/node/node1/meminfo", "Node 1 MemTotal: 0 kB\nNode 1 MemFree: 0 kB");
  const Topology topology = read(tree);
  EXPECT_FALSE(topology.node(1)->usable);
  EXPECT_THAT(topology.node(1)->reason, HasSubstr("no memory"));
}

TEST(Topology, AFasterTierThanDramIsHbm) {
  const Tree tree("far_node");
  tree.write("sys/devices/virtual/memory_tiering/memory_tier2/nodelist", "2");
  tree.remove("sys/devices/virtual/memory_tiering/memory_tier56");
  EXPECT_EQ(read(tree).node(2)->tier, MemoryTier::hbm);
}

TEST(Topology, MemoryWithoutHmatIsNearestToTheProcessorsAtTheLeastDistance) {
  const Tree tree("two_sockets");
  tree.remove("sys/devices/system/node/node2/access1");
  const Topology topology = read(tree);
  EXPECT_THAT(topology.node(2)->access.initiators, IsEmpty());
  EXPECT_EQ(topology.cpus_near(2), topology.node(1)->cpus);
}

TEST(Topology, AKernelWithoutNumaIsNodeZero) {
  const Tree tree("one_node");
  tree.remove("sys/devices/system/node");
  const Topology topology = read(tree);
  ASSERT_EQ(topology.nodes.size(), 1U);
  EXPECT_EQ(topology.nodes[0].total_bytes, 24684084ULL << 10U);
  EXPECT_TRUE(topology.nodes[0].usable);
  EXPECT_EQ(topology.distance(0, 0), 10U);
}

TEST(Topology, AFolderThatIsNoMachineIsNotFound) {
  const Tree tree("one_node");
  tree.remove("sys");
  tree.remove("proc");
  EXPECT_EQ(read_topology(tree.root()).error().code(), Code::not_found);
}

TEST(Topology, BrokenListsAndMeminfoAreCorruptAndNamed) {
  for (const char* list : {"0-", "x", "2-0", "0,0", "-1", "0-99999999999", "1,,2"}) {
    const Tree tree("far_node");
    tree.write("sys/devices/system/node/online", list);
    const Result<Topology> broken = read_topology(tree.root());
    ASSERT_FALSE(broken) << list;
    EXPECT_EQ(broken.error().code(), Code::corrupt) << list;
    EXPECT_THAT(broken.error().to_string(), HasSubstr("node/online"));
  }
  const Tree tree("far_node");
  tree.write("sys/devices/system/node/node1/meminfo", "Node 1 MemTotal: much kB");
  EXPECT_THAT(read_topology(tree.root()).error().to_string(), HasSubstr("node1/meminfo"));
}

TEST(Topology, ALineOfDistancesThatDoesNotMatchTheNodesIsNotGuessed) {
  for (const char* line : {"10 21", "10 21 31 40", "10 x 31", ""}) {
    const Tree tree("far_node");
    tree.write("sys/devices/system/node/node0/distance", line);
    EXPECT_THAT(read(tree).node(0)->distances, IsEmpty()) << line;
  }
}

TEST(Topology, UnknownLinksHaveNoRate) {
  const Tree tree("two_sockets");
  const std::string gpu = "sys/devices/pci0000:15/0000:15:01.0/0000:16:00.0/0000:18:00.0/";
  tree.write(gpu + "current_link_speed", "Unknown");
  tree.write(gpu + "current_link_width", "255");
  const Topology topology = read(tree);
  const auto device = std::ranges::find(topology.devices, "0000:18:00.0", &TopologyDevice::address);
  ASSERT_NE(device, topology.devices.end());
  EXPECT_EQ(device->link.bytes_per_second(), 0U);
  EXPECT_EQ(device->link.width, 0U);
}

TEST(Topology, DoctorNamesNarrowLinksIdleMemoryAndLimits) {
  const Topology topology = read(Tree("two_sockets"));
  EXPECT_THAT(finding_of(topology, "pci 0000:bd:00.0"), HasSubstr("2 of its 4 lanes"));
  EXPECT_THAT(finding_of(topology, "pci 0000:9a:00.0"), HasSubstr("2.5 of 32 GT/s"));
  EXPECT_THAT(finding_of(topology, "cxl mem2"), HasSubstr("cxl create-region -m mem2 -t ram"));
  EXPECT_THAT(finding_of(topology, "memory limit"), HasSubstr("768.0 GiB"));
  EXPECT_THAT(finding_of(topology, "dax0.0"), HasSubstr("on line as node 2"));
  EXPECT_THAT(finding_of(topology, "numa"), HasSubstr("3 nodes (1 without processors), 1536.0 GiB"));
}

TEST(Topology, DoctorSaysWhatBringsIdleCxlMemoryIntoUse) {
  const Tree tree("cxl_system_ram");
  tree.remove("sys/devices/system/node/node2");
  tree.write("sys/devices/system/node/online", "0-1");
  EXPECT_THAT(finding_of(read(tree), "dax0.0"), HasSubstr("daxctl online-memory dax0.0"));
  const Tree unbound("cxl_devdax");
  unbound.remove("sys/devices/platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0/dax0.0/driver");
  EXPECT_THAT(finding_of(read(unbound), "dax0.0"), HasSubstr("daxctl reconfigure-device"));
}

TEST(Topology, AnAcceleratorWithoutNodeOnAMachineWithSeveralIsAWarning) {
  const Tree tree("two_sockets");
  tree.write("sys/devices/pci0000:15/0000:15:01.0/0000:16:00.0/0000:18:00.0/numa_node", "-1");
  const Topology topology = read(tree);
  EXPECT_THAT(finding_of(topology, "pci 0000:18:00.0"), HasSubstr("memory.numa_node"));
}

}  // namespace
}  // namespace gpuio::core::topology
