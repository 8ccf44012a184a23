// SPDX-License-Identifier: Apache-2.0
#include "stores/store_kinds.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include "assembly/kernels/host_kernels.h"
#include "assembly/parts.h"
#include "core/context_state.h"
#include "device/host/driver.h"

namespace gpuio::tests {
namespace {

constexpr std::uint64_t kHugePage = 2U << 20U;

std::string unique_name() {
  static int count = 0;
  return "gpuio-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
}

}  // namespace

const std::vector<StoreKind>& store_kinds() {
  static const std::vector<StoreKind> kinds{
      {"file", "nvme"},
      {"file_in_memory", "dram"},
      {"memory", "dram", 4096, true, false},
      {"memory_on_a_node", "dram", 4096, true, false},
      {"memory_with_a_name", "dram"},
      {"memory_of_huge_pages", "dram", kHugePage, true, false},
      {"file_for_dax", "cxl", kHugePage, false},
      {"file_for_dax_not_coherent", "cxl", kHugePage, false},
      {"dax_device", "cxl", kHugePage, false},
  };
  return kinds;
}

StoreTest::StoreTest() {
  ContextOptions options{Settings(), Drive::threads};
  throw_if_failed(options.settings.set("memory.slab_bytes", "1MiB"));
  core::Parts parts = assembly::parts();
  parts.devices.push_back([this](const spi::EngineHost& host) -> std::unique_ptr<spi::DeviceDriver> {
    return std::make_unique<FarDriver>(std::make_unique<host::Driver>(host.executor, 1, assembly::host_kernels()),
                                       rules_);
  });
  parts.engines.push_back([this](const spi::EngineHost&) {
    auto engine = std::make_unique<FakeEngine>();
    fake_ = engine.get();
    return engine;
  });
  context_.emplace(core::ContextState::create(options, std::move(parts)).value());
  host_.emplace(context_->device("host").value());
  far_.emplace(context_->device("far:0").value());
}

StoreTest::~StoreTest() {
  if (!path_.empty() && !path_.starts_with("/dev/dax")) ::unlink(path_.c_str());
}

void StoreTest::SetUp() {
  const std::string_view name = kind().name;
  const std::string unique = unique_name();
  if (name == "file") path_ = testing::TempDir() + unique;
  if (name == "file_in_memory") path_ = "/dev/shm/" + unique;
  if (name.starts_with("file_for_dax")) path_ = testing::TempDir() + unique;
  if (name == "file" || name == "file_in_memory") uri_ = "file://" + path_;
  if (name == "memory") uri_ = "mem://dram?size=8MiB";
  if (name == "memory_on_a_node") uri_ = "mem://dram?size=8MiB&numa=0";
  if (name == "memory_of_huge_pages") uri_ = "mem://dram?size=8MiB&huge=2MiB";
  if (name == "memory_with_a_name") {
    path_ = "/dev/shm/" + unique;
    uri_ = "mem://dram?temporary=yes&name=" + unique;
  }
  if (name == "file_for_dax") uri_ = "cxl://" + path_;
  if (name == "file_for_dax_not_coherent") uri_ = "cxl://" + path_ + "?coherent=no";
  if (name == "dax_device") {
    const char* device = std::getenv("GPUIO_TEST_DAX");
    if (device == nullptr) GTEST_SKIP() << "needs a dax device to overwrite: GPUIO_TEST_DAX=/dev/dax0.0";
    path_ = device;
    uri_ = "cxl://" + path_;
  }
  make_store();
}

void StoreTest::make_store() {
  OpenOptions options;
  options.mode = std::string_view(kind().name) == "dax_device" ? OpenMode::write : OpenMode::create;
  options.size_bytes = kStoreBytes;
  Result<Store> opened = context_->open(uri_, options);
  if (!opened && kind().page_bytes > 4096 && !uri_.starts_with("cxl")) {
    GTEST_SKIP() << "needs 4 huge pages (/proc/sys/vm/nr_hugepages): " << opened.error().to_string();
  }
  ASSERT_TRUE(opened) << opened.error().to_string();
  store_ = *std::move(opened);
  fill();
}

void StoreTest::fill() {
  const Buffer memory = host_->allocate(kStoreBytes).value();
  for (std::uint64_t i = 0; i < kStoreBytes; ++i) memory.data()[i] = pattern(i);
  ASSERT_TRUE(context_->write(store_, memory).value().wait().ok());
}

std::vector<std::byte> StoreTest::read(std::uint64_t offset, std::uint64_t length) const {
  std::vector<std::byte> bytes(length);
  const Buffer memory = host_->wrap(bytes.data(), length, RegionKind::user).value();
  const Status status = context_->read(store_, Layout::contiguous(offset, length), memory).value().wait();
  EXPECT_TRUE(status.ok()) << status.to_string();
  return bytes;
}

void StoreTest::cut(std::uint64_t size_bytes) const {
  if (path_.empty()) {
    ASSERT_TRUE(store_.truncate(size_bytes).ok());
  } else {
    ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(size_bytes)), 0);
  }
}

}  // namespace gpuio::tests
