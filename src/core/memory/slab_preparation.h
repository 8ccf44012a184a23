// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/mpsc_list.h"
#include "core/memory/host_pages.h"
#include "core/memory/memory_registry.h"
#include "core/spi/device.h"
#include "core/spi/executor.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

/// Host memory that is touched and, where the device needs that, registered with it.
struct SlabMemory {
  HostPages pages;            // Declared first: unmapped after it is unregistered.
  Registration registration;  // Empty where the device works with unregistered memory.

  /// Takes milliseconds. Any thread. `numa_node` -1: the device's nearest.
  [[nodiscard]] static Result<SlabMemory> make(const std::shared_ptr<spi::Device>& device, std::uint32_t bytes,
                                               int numa_node = -1);
};

/// Memory that the pool prepares for one ring while the reactor goes on. What can't be made is left out: whoever needs
/// it then makes it himself and meets the reason.
///
/// Thread safety: none, but for the tasks; the reactor's, as the ring.
class SlabPreparations {
 public:
  /// Without an executor, or with one that has no pool, nothing is ever prepared.
  SlabPreparations(std::shared_ptr<spi::Device> device, std::uint32_t bytes, spi::Executor* executor,
                   int numa_node = -1);
  /// Waits for the tasks; what they made goes. Not from the reactor.
  ~SlabPreparations();
  SlabPreparations(const SlabPreparations&) = delete;
  SlabPreparations& operator=(const SlabPreparations&) = delete;

  [[nodiscard]] bool possible() const noexcept { return executor_ != nullptr; }
  void start();
  /// How many were started and not taken yet.
  [[nodiscard]] std::uint32_t outstanding() const noexcept { return outstanding_; }

  struct Outcome {
    bool ended = false;                ///< One of those outstanding; otherwise all are still being made.
    std::optional<SlabMemory> memory;  ///< Empty where it could not be made.
  };
  [[nodiscard]] Outcome take();

 private:
  struct Shared;
  struct Preparation;

  std::shared_ptr<spi::Device> device_;
  std::uint32_t bytes_;
  int numa_node_;
  spi::Executor* executor_;
  std::shared_ptr<Shared> shared_;
  std::uint32_t outstanding_ = 0;
  Preparation* ended_ = nullptr;  ///< Taken from the tasks' list, linked; not handed out yet.
};

}  // namespace gpuio::core
