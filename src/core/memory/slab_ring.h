// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/memory/host_pages.h"
#include "core/memory/memory_registry.h"
#include "core/memory/pinned_budget.h"
#include "core/memory/slab_preparation.h"
#include "core/spi/device.h"
#include "core/spi/executor.h"
#include "gpuio/status.hpp"

namespace gpuio::core {

enum class SlabClass : std::uint8_t {
  big,    ///< memory.slab_bytes: bulk, so that one copy is large enough to run at the link's rate.
  small,  ///< A 32nd of that, at least 256 KiB (or half of it): random and urgent reads.
};

/// Staging memory on the way to or from a device. Owned by its SlabRing.
struct Slab {
  std::byte* memory = nullptr;
  std::uint32_t bytes = 0;
  SlabClass size_class = SlabClass::big;
  bool quarantined = false;  ///< Set by SlabRing::quarantine.
  std::uint32_t block = 0;   ///< The ring's own bookkeeping.
};

/// Told what memory the ring has, so that engines can register it too (spi::Engine::register_memory).
class SlabMemoryListener {
 public:
  virtual void slab_memory_added(std::byte* base, std::size_t bytes) = 0;
  virtual void slab_memory_removed(std::byte* base) = 0;

 protected:
  ~SlabMemoryListener() = default;
};

class SlabRing;

/// The rings of one Context, which share its budget: one that has fewer slabs than another and needs more gets those
/// that the other doesn't use, or releases next. Outlives its rings. Thread safety: none; the reactor's.
class SlabRingGroup {
 public:
  explicit SlabRingGroup(PinnedBudget& budget) noexcept : budget_(budget) {}

  /// Takes budget for slabs that no ring shares: at most a quarter of it in all. Any thread, as the other.
  [[nodiscard]] bool reserve(std::uint64_t bytes) noexcept;
  void unreserve(std::uint64_t bytes) noexcept;

 private:
  friend class SlabRing;
  PinnedBudget& budget_;
  std::atomic<std::uint64_t> reserved_{0};
  std::vector<SlabRing*> rings_;  // Those that were asked for a slab at least once.
};

/// The pinned staging memory of one (context, device).
///
/// Blocks of slab_bytes are mapped when first needed, on the device's nearest NUMA node, touched, and registered once
/// with the device: ten milliseconds a block, so those that a request will need are prepared side by side by the
/// executor's pool. The first block is cut into small slabs before any bulk can take the budget, and an eighth of those
/// go to urgent requests only: a ring full of bulk never starves a small urgent read. When the budget or the active cap
/// is reached, `acquire` answers null: back-pressure, never growth. The slab released last is handed out first, so the
/// set in flight stays small and in the processor's caches.
///
/// Thread safety: none; the reactor's, but for construction.
class SlabRing {
 public:
  struct Options {
    std::uint32_t slab_bytes = 8U << 20U;  ///< Rounded down to pages of 4 KiB; at least two.
    std::uint32_t active_max = ~0U;        ///< First value of the active cap.
    spi::Executor* executor = nullptr;     ///< Whose pool prepares blocks ahead; null: each is made when it is needed.
    int numa_node = -1;                    ///< Of the slabs; -1: the device's nearest.
    std::uint32_t prepared_max = 0;        ///< Big slabs that are prepared ahead, as long as there are not as many.
  };

  /// Maps nothing yet. `listener` may be null; it outlives the ring.
  SlabRing(std::shared_ptr<spi::Device> device, SlabRingGroup& group, const Options& options,
           SlabMemoryListener* listener = nullptr);
  /// Slabs that were not released stay mapped for ever (and are logged): a device or disk may still write them.
  ~SlabRing();
  SlabRing(const SlabRing&) = delete;
  SlabRing& operator=(const SlabRing&) = delete;

  /// A slab, or null if there is none now (counted in `waits`): try again after a release, unless `status` says that
  /// none can come. Urgent requests may use the reserved small slabs and pass the active cap. Contents are whatever was
  /// there. `wanted_bytes`: how much the caller will want in all, this slab included; only a hint.
  [[nodiscard]] Slab* acquire(SlabClass size_class, bool urgent, std::uint64_t wanted_bytes = 0);
  void release(Slab* slab);

  /// The slab's last user gave up on it, but the device or disk has not answered: stays out until released, no longer
  /// counts as active, and is reported.
  void quarantine(Slab* slab);

  /// ok while releases, of this ring or of others of the group, will bring a slab of this class; else why there is not
  /// even one: `resource_exhausted` (the budget is too small, or memlock), `out_of_memory`, or what the device said. A
  /// ring that has slabs and fails to map more goes on with those it has.
  [[nodiscard]] Status status(SlabClass size_class) const;

  /// Big slabs that may be in use at once; the scheduler tunes it. Slabs in use beyond a lowered cap stay until
  /// released.
  void set_active_max(std::uint32_t slabs) noexcept { active_max_ = slabs; }
  [[nodiscard]] std::uint32_t active_max() const noexcept { return active_max_; }
  [[nodiscard]] std::uint32_t active() const noexcept { return active_; }

  /// Unmaps idle big slabs, those unused for longest first, until at least `bytes` went back to the budget or none is
  /// idle; answers how many did. For Contexts that have nothing to do.
  std::uint64_t trim(std::uint64_t bytes);

  [[nodiscard]] SlabRingGroup& group() const noexcept { return group_; }
  [[nodiscard]] std::uint32_t slab_bytes() const noexcept { return slab_bytes_; }
  [[nodiscard]] std::uint32_t small_bytes() const noexcept { return small_bytes_; }
  [[nodiscard]] std::uint64_t pinned_bytes() const noexcept { return pinned_bytes_; }
  [[nodiscard]] std::uint64_t quarantined_bytes() const noexcept { return quarantined_bytes_; }
  [[nodiscard]] std::uint64_t waits() const noexcept { return waits_; }
  /// What a listener that comes late has missed.
  [[nodiscard]] std::vector<std::span<std::byte>> memory() const;

 private:
  struct Block {
    SlabMemory memory;
    std::vector<Slab> slabs;
    std::uint32_t out = 0;
  };

  [[nodiscard]] Slab* acquire_big(bool urgent);
  [[nodiscard]] Slab* acquire_small(bool urgent);
  [[nodiscard]] Slab* hand_out(std::vector<Slab*>& stack);
  /// Maps, registers and announces one more block of slabs of this class. False: failure_ or hungry_ says why.
  [[nodiscard]] bool grow(SlabClass size_class);
  [[nodiscard]] Status check_limit(SlabClass size_class) const;
  [[nodiscard]] bool take_budget();
  [[nodiscard]] bool gives_to(const SlabRing& other) const noexcept;
  [[nodiscard]] bool owes() const noexcept;  // Somebody who has less waits for budget.
  void prepare(std::uint64_t wanted_bytes);
  [[nodiscard]] bool add_prepared();
  void add_block(SlabMemory memory, SlabClass size_class);
  void drop_block(std::uint32_t index);
  static void bury(std::unique_ptr<Block> block);

  const std::shared_ptr<spi::Device> device_;
  SlabRingGroup& group_;
  const std::uint32_t slab_bytes_;
  const std::uint32_t small_bytes_;
  const std::uint32_t urgent_reserve_;
  SlabMemoryListener* const listener_;
  const int numa_node_;
  SlabPreparations preparations_;
  const std::uint32_t prepared_max_;

  std::vector<std::unique_ptr<Block>> blocks_;  // [0] is cut into small slabs; null where one was trimmed.
  std::vector<Slab*> free_big_;                 // Stacks: last in, first out.
  std::vector<Slab*> free_small_;
  std::uint32_t big_slabs_ = 0;      // Mapped, in use or not.
  bool hungry_ = false;              // The last attempt to grow found the budget in use.
  Status failure_;                   // What else it failed for.
  bool preparation_failed_ = false;  // None is prepared again before one was made by `grow`, which tells why.
  std::uint32_t active_max_;
  std::uint32_t active_ = 0;
  std::uint64_t pinned_bytes_ = 0;
  std::uint64_t quarantined_bytes_ = 0;
  std::uint64_t waits_ = 0;
};

}  // namespace gpuio::core
