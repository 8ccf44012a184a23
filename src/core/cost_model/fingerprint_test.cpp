// SPDX-License-Identifier: Apache-2.0
#include "core/cost_model/fingerprint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/testing/temporary_folder.h"
#include "core/executor/thread.h"

namespace gpuio::core {
namespace {

namespace fs = std::filesystem;

/// The kernel's files of a machine that is none.
class FingerprintTest : public testing::Test {
 protected:
  void SetUp() override {
    write("proc/cpuinfo", "processor\t: 0\nmodel name\t: A Processor 9000\n");
    write("proc/sys/kernel/osrelease", "6.1.0-10\n");
    write("sys/devices/system/node/node0/meminfo", "Node 0 MemTotal:       16777216 kB\nNode 0 MemFree: 1 kB\n");
  }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void add_pci(const std::string& address, const std::string& class_code) const {
    write("sys/bus/pci/devices/" + address + "/class", class_code + "\n");
    write("sys/bus/pci/devices/" + address + "/vendor", "0x10de\n");
    write("sys/bus/pci/devices/" + address + "/device", "0x2330\n");
  }
  [[nodiscard]] MachineFingerprint read() const { return read_fingerprint(root_.string(), 4); }

  const base::testing::TemporaryFolder folder_;
  const fs::path root_ = folder_.path();
};

TEST_F(FingerprintTest, NamesProcessorCoresMemoryAndKernel) {
  const MachineFingerprint machine = read();
  EXPECT_EQ(machine.processor, "A Processor 9000");
  EXPECT_EQ(machine.cores, 4U);
  EXPECT_EQ(machine.kernel, "6.1.0-10");
  ASSERT_EQ(machine.memory.size(), 1U);
  EXPECT_EQ(machine.memory[0].bytes, 16ULL << 30U);
  EXPECT_FALSE(machine.library_version.empty());
  EXPECT_TRUE(machine.devices.empty());
}

TEST_F(FingerprintTest, NodesComeInOrderAndThoseWithoutMemoryNotAtAll) {
  write("sys/devices/system/node/node10/meminfo", "Node 10 MemTotal:       1024 kB\n");
  write("sys/devices/system/node/node2/meminfo", "Node 2 MemTotal:       2048 kB\n");
  write("sys/devices/system/node/node3/meminfo", "Node 3 MemTotal:       0 kB\n");
  write("sys/devices/system/node/possible", "0-10\n");
  std::vector<int> nodes;
  for (const NodeMemory& node : read().memory) nodes.push_back(node.node);
  EXPECT_EQ(nodes, (std::vector{0, 2, 10}));
}

TEST_F(FingerprintTest, AKernelWithoutNodesHasOne) {
  fs::remove_all(root_ / "sys");
  write("proc/meminfo", "MemTotal:       1048576 kB\n");
  const MachineFingerprint machine = read();
  ASSERT_EQ(machine.memory.size(), 1U);
  EXPECT_EQ(machine.memory[0].bytes, 1ULL << 30U);
}

TEST_F(FingerprintTest, AcceleratorsAreKnownByClassAndListedByAddress) {
  add_pci("0000:65:00.0", "0x030200");
  add_pci("0000:17:00.0", "0x120000");
  add_pci("0000:00:1f.0", "0x060100");
  EXPECT_EQ(read().devices, (std::vector<std::string>{"0000:17:00.0 10de:2330", "0000:65:00.0 10de:2330"}));
}

TEST_F(FingerprintTest, ProcessorsWithoutANameAreKnownByTheirNumbers) {
  write("proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n");
  EXPECT_EQ(read().processor, "implementer 0x41 part 0xd0c");
}

TEST_F(FingerprintTest, AnEmptyRootIsNoCrash) {
  fs::remove_all(root_);
  const MachineFingerprint machine = read();
  EXPECT_TRUE(machine.processor.empty());
  EXPECT_EQ(machine.memory.size(), 1U);
}

TEST_F(FingerprintTest, ThisMachineIsItself) {
  const MachineFingerprint here = this_machine();
  EXPECT_EQ(here.cores, usable_cores());
  EXPECT_GT(here.memory.at(0).bytes, 0U);
  EXPECT_EQ(difference(here, this_machine()), "");
}

TEST_F(FingerprintTest, MemoryMayDifferByWhatTheKernelKeepsForItself) {
  const MachineFingerprint here = read();
  MachineFingerprint model = here;
  model.memory[0].bytes -= model.memory[0].bytes / 100;
  EXPECT_EQ(difference(here, model), "");
  model.memory[0].bytes /= 2;
  EXPECT_NE(difference(here, model).find("node 0 has 17179869184 bytes here"), std::string::npos);
}

TEST_F(FingerprintTest, WhatDiffersIsNamed) {
  add_pci("0000:17:00.0", "0x030200");
  const MachineFingerprint here = read();
  const auto differs = [&here](auto change) {
    MachineFingerprint model = here;
    change(model);
    return difference(here, model);
  };
  EXPECT_EQ(differs([](auto& model) { model.processor = "B"; }), "processor 'A Processor 9000' here, 'B' in the model");
  EXPECT_EQ(differs([](auto& model) { model.cores = 8; }), "4 cores here, 8 in the model");
  EXPECT_EQ(differs([](auto& model) { model.kernel = "5"; }), "kernel '6.1.0-10' here, '5' in the model");
  EXPECT_NE(differs([](auto& model) { model.library_version = "0"; }).find("GPUIO '"), std::string::npos);
  EXPECT_EQ(differs([](auto& model) { model.memory.push_back({1, 1}); }), "1 memory nodes here, 2 in the model");
  EXPECT_EQ(differs([](auto& model) { model.memory[0].node = 1; }), "memory node 0 here, 1 in the model");
  EXPECT_EQ(differs([](auto& model) { model.devices.clear(); }),
            "accelerators '0000:17:00.0 10de:2330' here, '' in the model");
}

TEST(UsableNodes, HaveMemoryAndOneOfThemCores) {
  const std::vector<UsableNode> nodes = usable_nodes();
  ASSERT_FALSE(nodes.empty());
  unsigned cores = 0;
  for (const UsableNode& node : nodes) cores += node.cores;
  EXPECT_GT(cores, 0U);
}

}  // namespace
}  // namespace gpuio::core
