// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <new>

namespace gpuio::base::testing {

/// A page of bytes between two that nobody may touch: who reads or writes beyond it dies. For tests.
class GuardedPage {
 public:
  explicit GuardedPage(std::byte fill) {
    mapped_ = ::mmap(nullptr, 3 * bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped_ == MAP_FAILED) throw std::bad_alloc();
    if (::mprotect(begin(), bytes_, PROT_READ | PROT_WRITE) != 0) {
      ::munmap(mapped_, 3 * bytes_);
      throw std::bad_alloc();
    }
    std::memset(begin(), static_cast<int>(fill), bytes_);
  }
  GuardedPage(const GuardedPage&) = delete;
  GuardedPage& operator=(const GuardedPage&) = delete;
  ~GuardedPage() { ::munmap(mapped_, 3 * bytes_); }

  [[nodiscard]] std::byte* begin() const noexcept { return static_cast<std::byte*>(mapped_) + bytes_; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_; }

 private:
  std::size_t bytes_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* mapped_ = nullptr;
};

}  // namespace gpuio::base::testing
