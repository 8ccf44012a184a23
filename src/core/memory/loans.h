// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

#include "core/memory/pinned_budget.h"
#include "core/spi/device.h"
#include "core/spi/engine.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

class LoanWindow;

/// A store's own pages, readable by one device's copy engine while this lives. Host code must not touch them: another
/// process may cut the file. After the device has read them, spi::Store::check_lent says whether they were the file's.
class Lent {
 public:
  Lent() = default;

  [[nodiscard]] const std::byte* address() const noexcept { return address_; }  ///< Of the offset asked for.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] bool reused() const noexcept { return reused_; }  ///< The pages were still registered from before.
  [[nodiscard]] explicit operator bool() const noexcept { return window_ != nullptr; }

 private:
  friend class LoanBook;
  Lent(std::shared_ptr<LoanWindow> window, const std::byte* address, std::uint64_t size, bool reused)
      : window_(std::move(window)), address_(address), size_(size), reused_(reused) {}

  std::shared_ptr<LoanWindow> window_;
  const std::byte* address_ = nullptr;
  std::uint64_t size_ = 0;
  bool reused_ = false;
};

/// Registers file pages with devices, for as long as a copy takes or, within a second budget, until the next load of
/// the same file.
///
/// Transient loans cover the pages of the range asked for, count against the context's PinnedBudget and end with their
/// Lent. With a registered budget, whole windows (aligned pieces of `window_bytes` of the store) are registered instead
/// and kept after use, least recently used out first, under that budget; they are found again by (Store::identity,
/// device, window) and dropped when a store of the same URI shows another identity. A window holds the `store` pointer
/// it was borrowed with: give one that keeps alive all that Store::take_back needs (an alias of the owner, if need be).
///
/// Thread safety: all members, any thread; stores and devices are never called under the lock.
class LoanBook {
 public:
  /// `registered_budget_bytes` 0: keep nothing. `window_bytes` is a power of two, at least a page.
  LoanBook(std::shared_ptr<PinnedBudget> pinned, std::uint64_t registered_budget_bytes, std::uint64_t window_bytes);
  ~LoanBook();
  LoanBook(const LoanBook&) = delete;
  LoanBook& operator=(const LoanBook&) = delete;

  /// The pages of [offset, offset + length), which must lie in one window (a copy may not cross two registrations).
  ///
  /// Fails with `would_block` when the budgets are full now (back-pressure), `resource_exhausted` when they can never
  /// hold the range, `out_of_range` past the store's end, `invalid_argument` for zero bytes or a range across windows,
  /// else as Store::lend and Device::register_memory. Nothing stays mapped, registered or counted after a failure.
  [[nodiscard]] Result<Lent> borrow(const std::shared_ptr<spi::Store>& store,
                                    const std::shared_ptr<spi::Device>& device, std::uint64_t offset,
                                    std::uint64_t length);

  /// Forgets all kept windows; those in use end with their last Lent. Call before engines and devices go.
  void clear();

  /// True if `offset`'s window of the store is kept registered with the device now: borrowing it costs next to nothing.
  [[nodiscard]] bool has(spi::Store& store, const spi::Device& device, std::uint64_t offset);

  [[nodiscard]] std::uint64_t window_bytes() const noexcept { return window_bytes_; }
  /// Bytes that transient loans may take now.
  [[nodiscard]] std::uint64_t transient_room() const noexcept { return pinned_->room(); }
  /// How many bytes from `offset` lie in its window.
  [[nodiscard]] std::uint64_t to_window_end(std::uint64_t offset) const noexcept {
    return window_bytes_ - (offset & (window_bytes_ - 1));
  }

  /// Bytes now under the registered budget: kept, or in use and about to be.
  [[nodiscard]] std::uint64_t registered_bytes() const noexcept { return registered_->now(); }

 private:
  using Window = std::shared_ptr<LoanWindow>;
  using Key = std::tuple<std::uint64_t, std::string, std::uint64_t>;  // Identity, device name, window index.
  struct Kept {
    Key key;
    std::string uri;
    Window window;
  };
  using Order = std::list<Kept>;  // Least recently used first.

  /// The kept window of that key, now the most recently used; null if there is none.
  [[nodiscard]] Window find(const Key& key);
  /// Registers a whole window under the registered budget and keeps it; null if that can't be.
  [[nodiscard]] Window open_kept(const Key& key, const std::shared_ptr<spi::Store>& store,
                                 const std::shared_ptr<spi::Device>& device);
  [[nodiscard]] bool make_room(std::uint64_t bytes);
  void drop_other_identities(std::string_view uri, std::uint64_t identity);
  [[nodiscard]] Window forget(Order::iterator kept);

  const std::shared_ptr<PinnedBudget> pinned_;
  const std::shared_ptr<PinnedBudget> registered_;
  const std::uint64_t window_bytes_;

  std::mutex mutex_;
  Order order_;
  std::map<Key, Order::iterator> kept_;
};

}  // namespace gpuio::core
