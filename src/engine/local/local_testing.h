// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/testing/temporary_folder.h"
#include "core/spi/engine.h"

/// What this room's tests share.
namespace gpuio::local::testing {

/// A run that counts its endings.
class TestRun final : public spi::Run {
 public:
  TestRun(spi::Store& target, spi::RunKind what, spi::Way how, std::vector<spi::Segment> parts)
      : parts_(std::move(parts)) {
    store = &target;
    kind = what;
    way = how;
    segments = parts_;
  }
  void finish() override { finished.fetch_add(1); }

  std::atomic<int> finished{0};

 private:
  std::vector<spi::Segment> parts_;
};

/// Page-aligned memory, filled with a byte that no test file has by chance everywhere.
class AlignedMemory {
 public:
  explicit AlignedMemory(std::size_t bytes)
      : bytes_((bytes + 4095) / 4096 * 4096), memory_(static_cast<std::byte*>(std::aligned_alloc(4096, bytes_))) {
    std::memset(memory_, 0xa5, bytes_);
  }
  AlignedMemory(const AlignedMemory&) = delete;
  AlignedMemory& operator=(const AlignedMemory&) = delete;
  ~AlignedMemory() { std::free(memory_); }

  [[nodiscard]] std::byte* data() const { return memory_; }
  [[nodiscard]] std::size_t size() const { return bytes_; }

 private:
  std::size_t bytes_;
  std::byte* memory_;
};

using base::testing::TemporaryFolder;

inline std::vector<std::byte> random_bytes(std::size_t count, std::uint64_t seed) {
  base::Random random(seed);
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

inline void write_file(const std::string& path, std::span<const std::byte> bytes) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0 || write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) || fsync(file) != 0) {
    std::abort();
  }
  close(file);
}

inline std::vector<std::byte> read_file(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::vector<std::byte> bytes(static_cast<std::size_t>(lseek(file, 0, SEEK_END)));
  if (pread(file, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  close(file);
  return bytes;
}

inline void drop_from_cache(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  fsync(file);
  posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  close(file);
}

inline spi::Uri uri_of(const std::string& path) {
  spi::Uri uri;
  uri.scheme = "file";
  uri.path = path;
  uri.text = "file://" + path;
  return uri;
}

}  // namespace gpuio::local::testing
