// SPDX-License-Identifier: Apache-2.0
// What mem:// and cxl:// say to URIs that are wrong, and to devices as the system describes them. What every Store does
// is tested in tests/stores.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/uri.h"
#include "engine/mem/opened_memory.h"
#include "engine/mem/parameters.h"

namespace gpuio::mem {
namespace {

using ::testing::HasSubstr;

constexpr OpenOptions kCreate{.mode = OpenMode::create};

Result<OpenedMemory> open(const std::string& uri, const OpenOptions& options = kCreate) {
  const spi::Uri parsed = core::parse_uri(uri).value();
  return parsed.scheme == "mem" ? open_dram(parsed, options) : open_dax(parsed, options);
}

void expect_refused(const std::string& uri, Code code, const std::string& words, const OpenOptions& options = kCreate) {
  const Status status = open(uri, options).status();
  EXPECT_EQ(status.code(), code) << uri << ": " << status.to_string();
  EXPECT_THAT(status.to_string(), HasSubstr(words)) << uri;
}

TEST(MemParameters, AreTypedAndEachIsOfOneScheme) {
  const Parameters all =
      read_parameters(
          core::parse_uri("mem://dram?size=2GiB&name=w&huge=transparent&numa=3&reserve=4GiB&temporary=yes").value())
          .value();
  EXPECT_EQ(all.size_bytes, 2ULL << 30U);
  EXPECT_EQ(all.name, "w");
  EXPECT_EQ(all.huge, HugePages::transparent);
  EXPECT_EQ(all.numa_node, 3);
  EXPECT_EQ(all.reserve_bytes, 4ULL << 30U);
  EXPECT_TRUE(all.temporary);
  const Parameters cxl = read_parameters(core::parse_uri("cxl:///f?page=4KiB&coherent=no").value()).value();
  EXPECT_EQ(cxl.page_bytes, 4096U);
  EXPECT_EQ(cxl.coherent, false);
}

TEST(MemParameters, WrongOnesAreNamed) {
  for (const char* wrong : {"size=lots", "huge=3MiB", "huge=", "numa=-1", "numa=x", "numa=99999", "name=", "name=a%2fb",
                            "name=.a", "temporary=1", "page=4KiB", "coherent=no", "siz=1"}) {
    const std::string text(wrong);
    expect_refused("mem://dram?" + text, Code::invalid_argument, "parameter=" + text.substr(0, text.find('=')));
  }
  for (const char* wrong : {"page=3MiB", "page=1", "page=2GiB", "coherent=maybe", "size=1", "name=x"}) {
    const std::string text(wrong);
    expect_refused("cxl:///f?" + text, Code::invalid_argument, "parameter=" + text.substr(0, text.find('=')));
  }
}

TEST(MemDram, WhatMakesNoSenseIsRefusedWithWhatWould) {
  expect_refused("mem://hbm?size=1MiB", Code::invalid_argument, "mem://dram");
  expect_refused("mem://dram", Code::invalid_argument, "size=");
  expect_refused("mem://dram?size=1MiB", Code::invalid_argument, "OpenMode::create", {});
  expect_refused("mem://dram?size=1MiB", Code::unsupported, "all or nothing", {.mode = OpenMode::replace});
  expect_refused("mem://dram?size=1MiB", Code::unsupported, "cache",
                 {.mode = OpenMode::create, .cache = CacheUse::direct});
  expect_refused("mem://dram?size=1MiB&temporary=yes", Code::invalid_argument, "temporary");
  expect_refused("mem://dram?size=1MiB&name=x&huge=2MiB", Code::unsupported, "huge=transparent");
  expect_refused("mem://dram?size=1000&huge=2MiB", Code::invalid_argument, "page_bytes");
  expect_refused("mem://dram?size=16EiB", Code::out_of_range, "size");
}

TEST(MemDram, NodeThatDoesNotExistIsRefused) {
  expect_refused("mem://dram?size=1MiB&numa=1023", Code::not_found, "1023");
}

TEST(MemDram, NameThatDoesNotExistIsNotFoundAndNothingIsMade) {
  const std::string uri = "mem://dram?name=gpuio-test-none-" + std::to_string(::getpid());
  expect_refused(uri, Code::not_found, "name=", {});
  expect_refused(uri, Code::not_found, "name=", {.mode = OpenMode::write});
}

TEST(MemDram, NameKeepsItsBytesAndMayBeAskedToBeLongEnough) {
  const std::string name = "gpuio-test-" + std::to_string(::getpid());
  const std::string uri = "mem://dram?name=" + name;
  {
    const OpenedMemory made = open(uri + "&size=8KiB").value();
    ASSERT_EQ(::pwrite(made.descriptor.get(), "bytes", 5, 0), 5);
  }
  const OpenedMemory again = open(uri + "&size=4KiB&temporary=yes", {}).value();
  EXPECT_EQ(again.size_bytes, 8192U);
  EXPECT_FALSE(again.writable);
  std::array<char, 5> read{};
  ASSERT_EQ(::pread(again.descriptor.get(), read.data(), 5, 0), 5);
  EXPECT_EQ(std::memcmp(read.data(), "bytes", 5), 0);
  expect_refused(uri + "&size=16KiB", Code::out_of_range, "size=8192", {});
  again.closed();
  expect_refused(uri, Code::not_found, "name=", {});
}

class MemDax : public testing::Test {
 protected:
  MemDax() : folder_(testing::TempDir() + "gpuio-dax-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~MemDax() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, std::uint64_t bytes) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << "";
    std::filesystem::resize_file(path, bytes);
    return path;
  }
  /// As sysfs describes a device; /dev/null's number stands in for a dax device's.
  void describe(const std::string& align, const std::string& size) const {
    struct stat null{};
    ASSERT_EQ(::stat("/dev/null", &null), 0);
    const std::string device =
        folder_ + "/dev/char/" + std::to_string(major(null.st_rdev)) + ":" + std::to_string(minor(null.st_rdev));
    std::filesystem::create_directories(device);
    if (!align.empty()) std::ofstream(device + "/align") << align << "\n";
    if (!size.empty()) std::ofstream(device + "/size") << size << "\n";
  }
  Result<OpenedMemory> open_null() const {
    return open_dax(core::parse_uri("cxl:///dev/null").value(), {.mode = OpenMode::write}, folder_);
  }

  std::string folder_;
};

TEST_F(MemDax, DeviceIsAsTheSystemDescribesIt) {
  describe("1073741824", "8589934592");
  const OpenedMemory memory = open_null().value();
  EXPECT_TRUE(memory.is_device);
  EXPECT_EQ(memory.page_bytes, 1ULL << 30U);
  EXPECT_EQ(memory.size_bytes, 8ULL << 30U);
  EXPECT_EQ(memory.tier, "cxl");
  EXPECT_FALSE(memory.sharing.coherent) << "unless it is said that it is";
  EXPECT_FALSE(memory.can_grow);
}

TEST_F(MemDax, DeviceThatIsNoDaxDeviceIsRefused) {
  EXPECT_EQ(open_null().status().code(), Code::invalid_argument);
  describe("2097152", "");
  EXPECT_THAT(open_null().status().to_string(), HasSubstr("size"));
  describe("2097152", "many");
  EXPECT_THAT(open_null().status().to_string(), HasSubstr("no number"));
  describe("0", "4096");
  EXPECT_EQ(open_null().status().code(), Code::invalid_argument);
}

TEST_F(MemDax, FileInItsPlaceConsistsOfWholePages) {
  const OpenedMemory memory = open("cxl://" + file("whole", 4U << 20U), {.mode = OpenMode::write}).value();
  EXPECT_EQ(memory.page_bytes, 2U << 20U);
  EXPECT_TRUE(memory.sharing.coherent);
  expect_refused("cxl://" + file("odd", (4U << 20U) + 4096), Code::invalid_argument, "page_bytes=2097152", {});
  EXPECT_EQ(open("cxl://" + file("small", 12288) + "?page=4KiB", {}).value().page_bytes, 4096U);
  expect_refused("cxl://" + file("empty", 0), Code::invalid_argument, "size=0", {});
}

TEST_F(MemDax, WhatIsNeitherIsRefused) {
  expect_refused("cxl://" + folder_, Code::invalid_argument, "neither", {});
  expect_refused("cxl:///dev/dax77.7", Code::not_found, "daxctl", {});
  expect_refused("cxl://" + folder_ + "/missing", Code::not_found, "missing", {});
  expect_refused("cxl://" + file("whole", 2U << 20U), Code::unsupported, "replaced", {.mode = OpenMode::replace});
}

}  // namespace
}  // namespace gpuio::mem
