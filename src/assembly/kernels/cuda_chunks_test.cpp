// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/random.h"
#include "device/cuda/device.h"
#include "device/cuda/loader.h"

// Pinned memory of several registrations on a real GPU: 64 GiB are more than a test can take, so chunks are small here.
namespace gpuio::cuda {
namespace {

class CudaChunks : public ::testing::Test {
 protected:
  void SetUp() override {
    LoadOptions options;
    if (std::filesystem::exists(GPUIO_CUDA_LIBRARY)) options.library = GPUIO_CUDA_LIBRARY;
    const auto table = load_table(options);
    if (!table) GTEST_SKIP() << table.error().to_string();
    int devices = 0;
    if ((*table)->device_count(&devices) != 0 || devices == 0) GTEST_SKIP() << "no CUDA device";
    device_ = Device::open(**table, 0, "cuda:0", kChunk).value();
    stream_ = device_->create_stream().value();
    host_ = device_->allocate(RegionKind::pinned, kBytes, -1).value();
    memory_ = device_->allocate(RegionKind::device, kBytes, -1).value();
    base::Random random(7);
    for (std::size_t at = 0; at < kBytes; at += 8) {
      const std::uint64_t word = random.next();
      std::memcpy(host_ + at, &word, sizeof(word));
    }
  }
  void TearDown() override {
    if (device_ == nullptr) return;
    EXPECT_TRUE(device_->destroy_stream(stream_).ok());
    EXPECT_TRUE(device_->free(RegionKind::pinned, host_, kBytes).ok());
    EXPECT_TRUE(device_->free(RegionKind::device, memory_, kBytes).ok());
  }
  void copy(const std::byte* source, std::byte* destination, std::size_t bytes) {
    const spi::CopySegment segment{source, destination, bytes};
    const Status queued = device_->copy(stream_, {&segment, 1});
    ASSERT_TRUE(queued.ok()) << queued.to_string();
    const Status done = device_->synchronize(stream_);
    ASSERT_TRUE(done.ok()) << done.to_string();
  }

  static constexpr std::size_t kChunk = std::size_t{2} << 20U;
  static constexpr std::size_t kBytes = 3 * kChunk + 65536;
  std::unique_ptr<Device> device_;
  spi::StreamHandle stream_ = nullptr;
  std::byte* host_ = nullptr;
  std::byte* memory_ = nullptr;
};

TEST_F(CudaChunks, CopiesCrossTheBordersBothWays) {
  copy(host_ + 100, memory_, kBytes - 100);
  const std::vector<std::byte> sent(host_ + 100, host_ + kBytes);
  std::memset(host_, 0, kBytes);
  copy(memory_, host_ + 37, kBytes - 100);
  EXPECT_EQ(std::memcmp(host_ + 37, sent.data(), sent.size()), 0);
}

TEST_F(CudaChunks, KernelsReadRowsThatLieInTwoOfThem) {
  constexpr std::uint64_t kRowBytes = 656;
  constexpr std::uint64_t kRows = kBytes / kRowBytes;
  std::vector<std::uint32_t> ids;
  for (std::uint64_t border = kChunk; border < kBytes; border += kChunk) {
    ids.push_back(static_cast<std::uint32_t>(border / kRowBytes));
  }
  std::byte* device_ids = device_->allocate(RegionKind::device, 4096, -1).value();
  copy(reinterpret_cast<const std::byte*>(ids.data()), device_ids, ids.size() * 4);
  const spi::RowsArguments rows{host_, kRows, kRowBytes, kRowBytes, device_ids, 4, 0, ids.size(), memory_, nullptr};
  ASSERT_TRUE(device_->launch(stream_, spi::KernelId::gather_rows, &rows).ok());
  std::vector<std::byte> got(ids.size() * kRowBytes);
  copy(memory_, got.data(), got.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(std::memcmp(got.data() + i * kRowBytes, host_ + ids[i] * kRowBytes, kRowBytes), 0) << i;
  }
  EXPECT_TRUE(device_->free(RegionKind::device, device_ids, 4096).ok());
}

}  // namespace
}  // namespace gpuio::cuda
