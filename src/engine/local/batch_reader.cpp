// SPDX-License-Identifier: Apache-2.0
#include "engine/local/batch_reader.h"

#include <liburing.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>

namespace gpuio::local {
namespace {

constexpr unsigned kDepth = 64;

// Best first; the first that the kernel takes is used.
constexpr std::array kFlags{
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
    unsigned{IORING_SETUP_SUBMIT_ALL},
};

/// Rings are mapped and unmapped by calls that ThreadSanitizer does not see. Under this it does see that who gets an
/// address comes after who had it before.
constinit std::mutex mapping_mutex;

/// Empty between two calls: nothing is in the ring and nothing under way.
class ThreadRing {
 public:
  ThreadRing() noexcept {
    const std::lock_guard lock(mapping_mutex);
    for (const unsigned flags : kFlags) {
      io_uring_params parameters{};
      parameters.flags = flags;
      if (io_uring_queue_init_params(kDepth, &ring_, &parameters) != 0) continue;
      usable_ = open_ = true;
      io_uring_ring_dontfork(&ring_);
      io_uring_register_ring_fd(&ring_);
      return;
    }
  }
  ~ThreadRing() {
    const std::lock_guard lock(mapping_mutex);
    if (open_) io_uring_queue_exit(&ring_);
  }
  ThreadRing(const ThreadRing&) = delete;
  ThreadRing& operator=(const ThreadRing&) = delete;

  std::size_t read(spi::FileHandle file, std::span<spi::ReadPart> parts) noexcept {
    if (!usable_) return 0;
    const auto count = static_cast<unsigned>(std::min<std::size_t>(parts.size(), kDepth));
    for (unsigned i = 0; i < count; ++i) {
      io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
      const auto bytes = static_cast<unsigned>(parts[i].memory.size());
      io_uring_prep_read(sqe, file, parts[i].memory.data(), bytes, parts[i].offset);
      io_uring_sqe_set_data64(sqe, i);
    }
    return finish(parts, count);
  }

 private:
  /// Whatever goes wrong, no read is under way any more when it returns.
  std::size_t finish(std::span<spi::ReadPart> parts, unsigned count) noexcept {
    unsigned ended = 0;
    for (unsigned given = count; ended < given;) {
      const int result = io_uring_submit_and_wait(&ring_, given - ended);
      ended += take(parts);
      if (result >= 0 || result == -EINTR) continue;
      // What the kernel did not take stays in the ring, so nothing is ever submitted again.
      usable_ = false;
      given = count - io_uring_sq_ready(&ring_);
      for (io_uring_cqe* first = nullptr; ended < given; ended += take(parts)) io_uring_wait_cqe(&ring_, &first);
    }
    return ended;
  }

  unsigned take(std::span<spi::ReadPart> parts) noexcept {
    std::array<io_uring_cqe*, kDepth> cqes;
    const unsigned count = io_uring_peek_batch_cqe(&ring_, cqes.data(), kDepth);
    for (unsigned i = 0; i < count; ++i) parts[cqes[i]->user_data].result = cqes[i]->res;
    io_uring_cq_advance(&ring_, count);
    return count;
  }

  io_uring ring_{};
  bool open_ = false;
  bool usable_ = false;
};

}  // namespace

std::size_t read_batch(spi::FileHandle file, std::span<spi::ReadPart> parts) noexcept {
  static thread_local ThreadRing ring;
  return ring.read(file, parts);
}

}  // namespace gpuio::local
