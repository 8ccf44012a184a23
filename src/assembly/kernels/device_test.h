// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "core/spi/device.h"
#include "core/spi/executor.h"

/// What every device must do, whoever makes it: `device_*_test.cpp` are linked once for each family, with one of
/// `host_device_test.cpp` and `cuda_device_test.cpp` to say which.
namespace gpuio::assembly {

/// Defined once per test program.
std::unique_ptr<spi::DeviceDriver> make_driver_under_test(spi::Executor& executor);

/// Memory of a device, freed with the test.
struct TestMemory {
  std::byte* data = nullptr;
  std::size_t bytes = 0;
};

/// Opens device 0 and offers shorthands in which every failure of the device fails the test.
class DeviceTest : public ::testing::Test {
 protected:
  DeviceTest();
  ~DeviceTest() override;
  void SetUp() override;

  [[nodiscard]] spi::Device& device() { return *device_; }
  [[nodiscard]] spi::DeviceDriver& driver() { return *driver_; }

  std::byte* allocate(std::size_t bytes, RegionKind kind = RegionKind::device);
  std::uint32_t* allocate_word();  ///< Pinned, zero.
  spi::StreamHandle stream();      ///< A new one, destroyed with the test.
  spi::EventHandle event();

  std::vector<std::byte> random_bytes(std::size_t bytes);
  void upload(std::byte* destination, std::span<const std::byte> bytes);
  [[nodiscard]] std::vector<std::byte> download(const std::byte* source, std::size_t bytes);

  static void expect_ok(const Status& status) { EXPECT_TRUE(status.ok()) << status.to_string(); }
  static void raise(std::uint32_t* word, std::uint32_t value);

  base::SystemClock clock_;
  std::unique_ptr<spi::Executor> executor_;
  std::unique_ptr<spi::DeviceDriver> driver_;
  std::unique_ptr<spi::Device> device_;
  base::Random random_{0x5eed};

 private:
  struct Allocation {
    RegionKind kind;
    std::byte* base;
    std::size_t bytes;
  };
  std::vector<Allocation> allocations_;
  std::vector<spi::StreamHandle> streams_;
  std::vector<spi::EventHandle> events_;
};

}  // namespace gpuio::assembly
