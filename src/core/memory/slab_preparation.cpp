// SPDX-License-Identifier: Apache-2.0
#include "core/memory/slab_preparation.h"

#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "core/placement/numa.h"

namespace gpuio::core {

Result<SlabMemory> SlabMemory::make(const std::shared_ptr<spi::Device>& device, std::uint32_t bytes, int numa_node) {
  SlabMemory memory;
  GPUIO_ASSIGN(memory.pages,
               HostPages::map(bytes, numa::nearest(numa_node >= 0 ? numa_node : device->info().numa_node)));
  Result<Registration> registered =
      MemoryRegistry::process().add(device, memory.pages.base(), memory.pages.size(), spi::RegisterMode::read_write);
  if (registered) {
    memory.registration = *std::move(registered);
  } else if (!device->memory_is_host()) {
    return std::move(registered).error();
  } else {
    GPUIO_LOG(info, "core", "slabs stay unregistered: " + registered.error().to_string());
  }
  return memory;
}

/// What the tasks of one ring need: it outlives the ring by as much as the last of them does.
struct SlabPreparations::Shared {
  base::MpscList<Preparation> ended;
  std::atomic<std::uint32_t> running{0};
};

struct SlabPreparations::Preparation final : spi::Task {
  explicit Preparation(const SlabPreparations& owner)
      : device(owner.device_),
        bytes(owner.bytes_),
        numa_node(owner.numa_node_),
        executor(*owner.executor_),
        shared(owner.shared_) {}

  void run() override {
    if (Result<SlabMemory> made = SlabMemory::make(device, bytes, numa_node); made) memory = *std::move(made);
    // The ring may take and free this as soon as it is in the list.
    const std::shared_ptr<Shared> kept = shared;
    spi::Executor& driver = executor;
    kept->ended.push(*this);
    driver.wake();
    kept->running.fetch_sub(1, std::memory_order_release);
    driver.notify(kept->running);
  }

  std::shared_ptr<spi::Device> device;
  std::uint32_t bytes;
  int numa_node;
  spi::Executor& executor;
  std::shared_ptr<Shared> shared;
  std::optional<SlabMemory> memory;
  Preparation* next = nullptr;
};

SlabPreparations::SlabPreparations(std::shared_ptr<spi::Device> device, std::uint32_t bytes, spi::Executor* executor,
                                   int numa_node)
    : device_(std::move(device)),
      bytes_(bytes),
      numa_node_(numa_node),
      executor_(executor != nullptr && executor->workers() > 0 ? executor : nullptr),
      shared_(std::make_shared<Shared>()) {}

SlabPreparations::~SlabPreparations() {
  while (const std::uint32_t running = shared_->running.load(std::memory_order_acquire)) {
    executor_->wait(shared_->running, running, spi::kNever);
  }
  while (outstanding_ > 0) static_cast<void>(take());
}

void SlabPreparations::start() {
  ++outstanding_;
  shared_->running.fetch_add(1, std::memory_order_relaxed);
  executor_->post(*new Preparation(*this));
}

SlabPreparations::Outcome SlabPreparations::take() {
  if (ended_ == nullptr) ended_ = shared_->ended.take_all();
  if (ended_ == nullptr) return {};
  const std::unique_ptr<Preparation> taken(std::exchange(ended_, ended_->next));
  --outstanding_;
  return {true, std::move(taken->memory)};
}

}  // namespace gpuio::core
