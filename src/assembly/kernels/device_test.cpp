// SPDX-License-Identifier: Apache-2.0
#include "assembly/kernels/device_test.h"

#include <atomic>
#include <cstring>

#include "core/executor/thread_executor.h"

namespace gpuio::assembly {

DeviceTest::DeviceTest() : executor_(core::ThreadExecutor::start(clock_).value()) {}

void DeviceTest::SetUp() {
  driver_ = make_driver_under_test(*executor_);
  if (const auto count = driver_->count(); !count) GTEST_SKIP() << count.error().to_string();
  device_ = driver_->open(0).value();
}

DeviceTest::~DeviceTest() {
  if (device_ == nullptr) return;
  for (spi::StreamHandle stream : streams_) expect_ok(device_->destroy_stream(stream));
  for (spi::EventHandle event : events_) expect_ok(device_->destroy_event(event));
  for (const Allocation& gone : allocations_) expect_ok(device_->free(gone.kind, gone.base, gone.bytes));
}

std::byte* DeviceTest::allocate(std::size_t bytes, RegionKind kind) {
  std::byte* base = device_->allocate(kind, bytes, {}).value();
  allocations_.push_back({kind, base, bytes});
  return base;
}

std::uint32_t* DeviceTest::allocate_word() {
  auto* word = reinterpret_cast<std::uint32_t*>(allocate(4096, RegionKind::pinned));
  *word = 0;
  return word;
}

spi::StreamHandle DeviceTest::stream() {
  streams_.push_back(device_->create_stream().value());
  return streams_.back();
}

spi::EventHandle DeviceTest::event() {
  events_.push_back(device_->create_event().value());
  return events_.back();
}

std::vector<std::byte> DeviceTest::random_bytes(std::size_t bytes) {
  std::vector<std::byte> result(bytes);
  for (std::size_t at = 0; at < bytes; at += 8) {
    const std::uint64_t word = random_.next();
    std::memcpy(result.data() + at, &word, std::min<std::size_t>(8, bytes - at));
  }
  return result;
}

void DeviceTest::upload(std::byte* destination, std::span<const std::byte> bytes) {
  const spi::StreamHandle queue = stream();
  const spi::CopySegment segment{bytes.data(), destination, bytes.size()};
  expect_ok(device_->copy(queue, {&segment, 1}));
  expect_ok(device_->synchronize(queue));
}

std::vector<std::byte> DeviceTest::download(const std::byte* source, std::size_t bytes) {
  std::vector<std::byte> result(bytes);
  const spi::StreamHandle queue = stream();
  const spi::CopySegment segment{source, result.data(), bytes};
  expect_ok(device_->copy(queue, {&segment, 1}));
  expect_ok(device_->synchronize(queue));
  return result;
}

void DeviceTest::raise(std::uint32_t* word, std::uint32_t value) {
  std::atomic_ref<std::uint32_t>(*word).store(value, std::memory_order_release);
}

}  // namespace gpuio::assembly
