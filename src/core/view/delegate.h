// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/spi/executor.h"
#include "gpuio/dev/delegate.h"

namespace gpuio::core {

/// The owner's side of delegated atomics: looks at the queues of a ring (dev/delegate.h) and does what is asked with
/// the host's own atomic operations.
///
/// Callers can't wake it: it looks without pause while there is work and a little beyond, then ever more rarely, so the
/// first operation after a quiet while may wait a millisecond. poll: one thread at a time; the counts: any thread.
class DelegateServer final : public spi::Pollable {
 public:
  /// Serves words that begin at `words`; `ring.shared` must be zero. All of it stays valid while polled.
  DelegateServer(std::byte* words, const dev::DelegateRing& ring);

  std::uint64_t poll(std::uint64_t now_ns) override;

  /// One look at every queue: how many operations were answered.
  std::uint64_t serve();

  [[nodiscard]] std::uint64_t served() const noexcept { return served_.load(std::memory_order_relaxed); }
  /// Requests that asked for what can't be done; part of `served`.
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_.load(std::memory_order_relaxed); }

 private:
  struct Queue {
    dev::DelegateQueue slots;
    std::uint64_t next = 0;  ///< Ticket that is looked for.
  };

  /// At most a ring's length, so that no queue starves the others.
  std::uint64_t serve(Queue& queue);
  [[nodiscard]] dev::DelegateAnswer answer(const dev::DelegateRequest& request) const;

  std::byte* const words_;
  const dev::DelegateRing ring_;
  std::vector<Queue> queues_;
  std::uint64_t worked_ns_ = 0;  ///< When there last was work.
  std::atomic<std::uint64_t> served_{0};
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace gpuio::core
