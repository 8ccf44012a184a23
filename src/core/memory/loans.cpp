// SPDX-License-Identifier: Apache-2.0
#include "core/memory/loans.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>
#include <vector>

#include "base/try.h"
#include "core/memory/memory_registry.h"

namespace gpuio::core {

/// Pages of a store that are mapped, registered and counted; all three end with it.
class LoanWindow {
 public:
  /// Maps, counts and registers; whatever fails, nothing of it stays.
  static Result<std::shared_ptr<LoanWindow>> open(std::shared_ptr<spi::Store> store,
                                                  const std::shared_ptr<spi::Device>& device, std::uint64_t offset,
                                                  std::uint64_t length, std::shared_ptr<PinnedBudget> budget) {
    auto window = std::make_shared<LoanWindow>();
    GPUIO_ASSIGN(window->loan_, store->lend(offset, length));
    window->store_ = std::move(store);
    window->offset_ = offset;
    window->length_ = length;
    const std::uint64_t bytes = window->loan_.base_bytes;
    if (!budget->try_take(bytes)) return full(*budget, bytes);
    window->budget_ = std::move(budget);
    GPUIO_ASSIGN(window->registration_,
                 MemoryRegistry::process().add(device, window->loan_.base, bytes, spi::RegisterMode::read_only));
    return window;
  }

  static Status full(const PinnedBudget& budget, std::uint64_t bytes) {
    const bool hopeless = bytes > budget.limit();
    return Status(hopeless ? Code::resource_exhausted : Code::would_block,
                  hopeless ? "the budget for registered pages can't hold this range"
                           : "the budget for registered pages is in use")
        .with("bytes", bytes)
        .with("budget_bytes", budget.limit())
        .with_retryable(!hopeless);
  }

  LoanWindow() = default;
  ~LoanWindow() {
    registration_ = Registration();
    if (budget_ != nullptr) budget_->give(loan_.base_bytes);
    if (store_ != nullptr) store_->take_back(loan_);
  }
  LoanWindow(const LoanWindow&) = delete;
  LoanWindow& operator=(const LoanWindow&) = delete;

  [[nodiscard]] bool holds(std::uint64_t offset, std::uint64_t length) const noexcept {
    return offset_ <= offset && offset - offset_ <= length_ && length <= length_ - (offset - offset_);
  }
  [[nodiscard]] const std::byte* address_of(std::uint64_t offset) const noexcept {
    return loan_.memory + (offset - offset_);
  }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return loan_.base_bytes; }

 private:
  std::shared_ptr<spi::Store> store_;
  spi::Loan loan_;
  std::uint64_t offset_ = 0;
  std::uint64_t length_ = 0;
  std::shared_ptr<PinnedBudget> budget_;
  Registration registration_;
};

LoanBook::LoanBook(std::shared_ptr<PinnedBudget> pinned, std::uint64_t registered_budget_bytes,
                   std::uint64_t window_bytes)
    : pinned_(std::move(pinned)),
      registered_(std::make_shared<PinnedBudget>(registered_budget_bytes)),
      window_bytes_(window_bytes) {
  assert(std::has_single_bit(window_bytes));
}

LoanBook::~LoanBook() { clear(); }

Result<Lent> LoanBook::borrow(const std::shared_ptr<spi::Store>& store, const std::shared_ptr<spi::Device>& device,
                              std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return Status(Code::invalid_argument, "length is zero");
  const std::uint64_t size = store->size();
  if (offset > size || length > size - offset) {
    return Status(Code::out_of_range, "past the end").with("offset", offset).with("length", length).with("size", size);
  }
  if (length > to_window_end(offset)) {
    return Status(Code::invalid_argument, "the range crosses windows").with("offset", offset).with("length", length);
  }
  bool reused = false;
  Window window;
  if (const std::uint64_t identity = registered_->limit() > 0 ? store->identity() : 0; identity != 0) {
    const Key key(identity, device->info().name, offset / window_bytes_);
    window = find(key);
    reused = window != nullptr;
    if (!reused) window = open_kept(key, store, device);
  }
  if (window == nullptr || !window->holds(offset, length)) {
    if (pinned_->room() < length) return LoanWindow::full(*pinned_, length);
    reused = false;
    GPUIO_ASSIGN(window, LoanWindow::open(store, device, offset, length, pinned_));
  }
  const std::byte* const address = window->address_of(offset);
  return Lent(std::move(window), address, length, reused);
}

bool LoanBook::has(spi::Store& store, const spi::Device& device, std::uint64_t offset) {
  if (registered_->limit() == 0) return false;
  const std::uint64_t identity = store.identity();
  if (identity == 0) return false;
  const std::lock_guard lock(mutex_);
  return kept_.contains(Key(identity, device.info().name, offset / window_bytes_));
}

LoanBook::Window LoanBook::find(const Key& key) {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(key);
  if (found == kept_.end()) return nullptr;
  order_.splice(order_.end(), order_, found->second);
  return found->second->window;
}

LoanBook::Window LoanBook::open_kept(const Key& key, const std::shared_ptr<spi::Store>& store,
                                     const std::shared_ptr<spi::Device>& device) {
  drop_other_identities(store->uri(), std::get<0>(key));
  const std::uint64_t start = std::get<2>(key) * window_bytes_;
  const std::uint64_t bytes = std::min(window_bytes_, store->size() - start);
  if (!make_room(bytes)) return nullptr;
  // Whatever stands in the way of a whole window (not all of it is resident, say), the range alone may still be lent.
  Result<Window> opened = LoanWindow::open(store, device, start, bytes, registered_);
  if (!opened) return nullptr;
  const std::lock_guard lock(mutex_);
  // Another thread may have opened the same one meanwhile; then this one ends with its loan.
  if (const auto [at, fresh] = kept_.try_emplace(key, order_.end()); fresh) {
    at->second = order_.insert(order_.end(), {key, store->uri(), *opened});
  }
  return *std::move(opened);
}

bool LoanBook::make_room(std::uint64_t bytes) {
  if (bytes > registered_->limit()) return false;
  while (registered_->room() < bytes) {
    Window leaving;  // Ends outside the lock.
    const std::lock_guard lock(mutex_);
    // New references come from this list alone, so a window that only the list holds is idle and stays so.
    const auto idle =
        std::find_if(order_.begin(), order_.end(), [](const Kept& k) { return k.window.use_count() == 1; });
    if (idle == order_.end()) return false;
    leaving = forget(idle);
  }
  return true;
}

void LoanBook::drop_other_identities(std::string_view uri, std::uint64_t identity) {
  std::vector<Window> leaving;  // End outside the lock.
  const std::lock_guard lock(mutex_);
  for (auto at = order_.begin(); at != order_.end();) {
    const auto kept = at++;
    if (std::get<0>(kept->key) != identity && kept->uri == uri) leaving.push_back(forget(kept));
  }
}

LoanBook::Window LoanBook::forget(Order::iterator kept) {
  Window window = std::move(kept->window);
  kept_.erase(kept->key);
  order_.erase(kept);
  return window;
}

void LoanBook::clear() {
  Order leaving;  // Ends outside the lock.
  const std::lock_guard lock(mutex_);
  kept_.clear();
  leaving.swap(order_);
}

}  // namespace gpuio::core
