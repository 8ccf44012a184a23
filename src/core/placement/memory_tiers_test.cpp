// SPDX-License-Identifier: Apache-2.0
#include "core/placement/memory_tiers.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/testing/temporary_folder.h"

namespace gpuio::core {
namespace {

namespace fs = std::filesystem;

/// A folder that looks as sysfs does to who looks for dax devices.
class FakeSysfs {
 public:
  FakeSysfs() {
    fs::create_directories(sys_ / "bus/dax/devices");
    for (const char* driver : {"kmem", "device_dax"}) fs::create_directories(sys_ / "bus/dax/drivers" / driver);
  }

  void add(const std::string& name, const std::string& place, const std::string& driver, const std::string& node) {
    const fs::path device = sys_ / place / name;
    fs::create_directories(device);
    fs::create_directory_symlink(device, sys_ / "bus/dax/devices" / name);
    if (!driver.empty()) fs::create_directory_symlink(sys_ / "bus/dax/drivers" / driver, device / "driver");
    if (!node.empty()) std::ofstream(device / "target_node") << node << '\n';
  }

  [[nodiscard]] const fs::path& root() const noexcept { return folder_.path(); }

 private:
  const base::testing::TemporaryFolder folder_;
  const fs::path sys_ = folder_.path() / "sys";
};

constexpr const char* kRegion = "devices/platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0";

TEST(MemoryTiers, AMachineWithoutDaxDevicesHasNoCxlNodes) {
  const FakeSysfs sysfs;
  EXPECT_TRUE(MemoryTiers::of_system(sysfs.root()).cxl_nodes().empty());
  EXPECT_TRUE(MemoryTiers::of_system("/nonexistent").cxl_nodes().empty());
}

TEST(MemoryTiers, OnlyCxlRegionsThatServeAsMemoryCount) {
  FakeSysfs sysfs;
  sysfs.add("dax0.0", kRegion, "kmem", "2");
  sysfs.add("dax0.1", kRegion, "kmem", "2");
  sysfs.add("dax1.0", kRegion, "device_dax", "3");
  sysfs.add("dax2.0", "devices/platform/hmem.0", "kmem", "4");
  sysfs.add("dax3.0", kRegion, "", "5");
  sysfs.add("dax4.0", kRegion, "kmem", "not a number");
  sysfs.add("dax5.0", kRegion, "kmem", "1");
  EXPECT_EQ(MemoryTiers::of_system(sysfs.root()).cxl_nodes(), (std::vector<int>{1, 2}));
}

TEST(MemoryTiers, PagesTellTheirNode) {
  std::vector<std::byte> touched(1U << 20U, std::byte{1});
  EXPECT_FALSE(MemoryTiers({}).reaches_cxl(touched.data(), touched.size()));
  // Some node holds them; whichever it is, all together do and one that isn't there does not.
  std::vector<int> all(64);
  for (int i = 0; i < 64; ++i) all[static_cast<std::size_t>(i)] = i;
  EXPECT_TRUE(MemoryTiers(all).reaches_cxl(touched.data(), touched.size()));
  EXPECT_TRUE(MemoryTiers(all).reaches_cxl(touched.data() + 77, 1));
  EXPECT_FALSE(MemoryTiers({1000}).reaches_cxl(touched.data(), touched.size()));
  EXPECT_FALSE(MemoryTiers(all).reaches_cxl(touched.data(), 0));
}

}  // namespace
}  // namespace gpuio::core
