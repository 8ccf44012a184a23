// SPDX-License-Identifier: Apache-2.0
// The loops that a careful programmer would write with the CUDA runtime alone, and the link's limit. A peer: it reads a
// line a sample from its standard input and answers with a line of JSON.
//
//   copy_in | copy_out          copies between pinned memory and the GPU, as many bytes as the file has
//   pread THREADS SLAB_BYTES    threads read the file into pinned slabs of their own and have them copied
//   mmap THREADS SLAB_BYTES     as pread, but memcpy from a mapping of the file

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer_process.h"

namespace {

constexpr std::size_t kCopyBytes = std::size_t{1} << 30;
constexpr std::size_t kSlabsPerThread = 3;
constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

/// Pinned memory of huge pages.
class Pinned {
 public:
  explicit Pinned(std::size_t bytes) : bytes_(bytes), mapped_bytes_(bytes + kHugePageBytes) {
    mapped_ = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped_ == MAP_FAILED) throw std::runtime_error("mmap of pinned memory failed");
    const auto address = reinterpret_cast<std::uintptr_t>(mapped_);
    data_ = static_cast<std::byte*>(mapped_) + (kHugePageBytes - address % kHugePageBytes) % kHugePageBytes;
    ::madvise(data_, bytes, MADV_HUGEPAGE);
    std::memset(data_, 1, bytes);
    check(cudaHostRegister(data_, bytes, cudaHostRegisterDefault));
  }
  ~Pinned() {
    cudaHostUnregister(data_);
    ::munmap(mapped_, mapped_bytes_);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void* mapped_ = nullptr;
  std::size_t bytes_;
  std::size_t mapped_bytes_;
  std::byte* data_ = nullptr;
};

/// A stream with an event for each of its slabs: a slab is filled again once its copy is done.
class SlabCopies {
 public:
  SlabCopies() {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    for (cudaEvent_t& event : events_) {
      check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync));
    }
  }
  ~SlabCopies() {
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
    cudaStreamDestroy(stream_);
  }
  SlabCopies(const SlabCopies&) = delete;
  SlabCopies& operator=(const SlabCopies&) = delete;

  void wait_for_slab(std::size_t slab) { check(cudaEventSynchronize(events_[slab])); }
  void copy(std::size_t slab, std::byte* target, const std::byte* source, std::size_t bytes) {
    check(cudaMemcpyAsync(target, source, bytes, cudaMemcpyHostToDevice, stream_));
    check(cudaEventRecord(events_[slab], stream_));
  }
  void wait_for_all() { check(cudaStreamSynchronize(stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
  std::array<cudaEvent_t, kSlabsPerThread> events_{};
};

class Ways {
 public:
  explicit Ways(const char* path) : fd_(::open(path, O_RDONLY | O_CLOEXEC)) {
    struct stat status{};
    if (fd_ < 0 || ::fstat(fd_, &status) != 0) throw std::runtime_error(std::string(path) + ": cannot be opened");
    bytes_ = static_cast<std::size_t>(status.st_size);
    check(cudaMalloc(reinterpret_cast<void**>(&gpu_), bytes_));
  }
  ~Ways() {
    cudaFree(gpu_);
    ::close(fd_);
  }
  Ways(const Ways&) = delete;
  Ways& operator=(const Ways&) = delete;

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  /// At least `bytes` of pinned memory, kept for the next request.
  const Pinned& reserve(std::size_t bytes) {
    if (pinned_ == nullptr || pinned_->bytes() < bytes) pinned_ = std::make_unique<Pinned>(bytes);
    return *pinned_;
  }

  void copy(const Pinned& pinned, cudaMemcpyKind kind) {
    for (std::size_t at = 0; at < bytes_; at += kCopyBytes) {
      const std::size_t part = std::min(kCopyBytes, bytes_ - at);
      const bool in = kind == cudaMemcpyHostToDevice;
      check(in ? cudaMemcpyAsync(gpu_ + at, pinned.data(), part, kind)
               : cudaMemcpyAsync(pinned.data(), gpu_ + at, part, kind));
    }
    check(cudaDeviceSynchronize());
  }

  /// Through `threads` rings of slabs in `pinned`; from a mapping if `mapped`, else by pread.
  void load(const Pinned& pinned, unsigned threads, std::size_t slab_bytes, bool mapped) {
    const std::byte* file = nullptr;
    if (mapped) {
      void* mapping = ::mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, fd_, 0);
      if (mapping == MAP_FAILED) throw std::runtime_error("mmap of the file failed");
      file = static_cast<const std::byte*>(mapping);
    }
    std::atomic<std::size_t> next = 0;
    std::atomic<bool> failed = false;
    std::vector<std::jthread> all;
    all.reserve(threads);
    for (unsigned thread = 0; thread < threads; ++thread) {
      all.emplace_back([&, ring = pinned.data() + thread * kSlabsPerThread * slab_bytes] {
        try {
          fill_and_copy(ring, slab_bytes, file, next);
        } catch (const std::exception&) {
          failed = true;
        }
      });
    }
    all.clear();
    if (mapped) ::munmap(const_cast<std::byte*>(file), bytes_);
    if (failed) throw std::runtime_error("a loading thread failed");
  }

 private:
  void fill_and_copy(std::byte* ring, std::size_t slab_bytes, const std::byte* file, std::atomic<std::size_t>& next) {
    SlabCopies copies;
    std::size_t at = 0;
    for (std::size_t turn = 0; (at = next.fetch_add(slab_bytes)) < bytes_; ++turn) {
      const std::size_t slab = turn % kSlabsPerThread;
      const std::size_t part = std::min(slab_bytes, bytes_ - at);
      std::byte* memory = ring + slab * slab_bytes;
      copies.wait_for_slab(slab);
      if (file != nullptr) {
        std::memcpy(memory, file + at, part);
      } else if (::pread(fd_, memory, part, static_cast<off_t>(at)) != static_cast<ssize_t>(part)) {
        throw std::runtime_error("short read");
      }
      copies.copy(slab, gpu_ + at, memory, part);
    }
    copies.wait_for_all();
  }

  int fd_;
  std::size_t bytes_ = 0;
  std::byte* gpu_ = nullptr;
  std::unique_ptr<Pinned> pinned_;
};

/// Makes what a request needs, then times only its work.
std::string answer(Ways& ways, const std::string& line) {
  std::istringstream words(line);
  std::string way;
  unsigned threads = 1;
  std::size_t slab_bytes = kHugePageBytes;
  words >> way >> threads >> slab_bytes;
  const bool in = way == "copy_in";
  const bool copy = in || way == "copy_out";
  if (!copy && way != "pread" && way != "mmap") throw std::runtime_error("unknown request: " + line);

  const Pinned& pinned = ways.reserve(copy ? kCopyBytes : threads * kSlabsPerThread * slab_bytes);
  const double cpu_before = cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  if (copy) {
    ways.copy(pinned, in ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost);
  } else {
    ways.load(pinned, threads, slab_bytes, way == "mmap");
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::ostringstream json;
  json << R"({"seconds": )" << seconds << R"(, "cpu_seconds": )" << cpu_seconds() - cpu_before << R"(, "bytes": )"
       << ways.bytes() << R"(, "operations": 1})";
  return json.str();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: gpu_ways FILE\n";
    return 2;
  }
  try {
    Ways ways(argv[1]);
    for (std::string line; std::getline(std::cin, line);) {
      try {
        std::cout << answer(ways, line) << std::endl;
      } catch (const std::exception& error) {
        std::cout << R"({"error": ")" << error.what() << R"("})" << std::endl;
      }
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "gpu_ways: " << error.what() << '\n';
    return 1;
  }
}
