// SPDX-License-Identifier: Apache-2.0
#include "device/host/word_watch.h"

#include <algorithm>
#include <utility>

#include "device/host/stream.h"

namespace gpuio::host {
namespace {

// A word usually arrives within a disk's latency or not for long: look every 20 us at first, then let the reactor
// sleep.
constexpr std::uint64_t kEagerForNs = 2'000'000;
constexpr std::uint64_t kEagerNs = 20'000;
constexpr std::uint64_t kPatientNs = 500'000;

}  // namespace

bool word_reached(const std::uint32_t* word, std::uint32_t value) noexcept {
  const std::atomic_ref<std::uint32_t> shared(*const_cast<std::uint32_t*>(word));
  return static_cast<std::int32_t>(shared.load(std::memory_order_acquire) - value) >= 0;
}

void WordWatch::park(std::shared_ptr<Stream> stream, const std::uint32_t* word, std::uint32_t value) {
  {
    std::lock_guard lock(mutex_);
    waiters_.push_back({std::move(stream), word, value});
    any_ = true;
    fresh_ = true;
  }
  executor_.wake();
}

bool WordWatch::unpark(const Stream* stream) {
  std::lock_guard lock(mutex_);
  const auto erased = std::erase_if(waiters_, [&](const Waiter& waiter) { return waiter.stream.get() == stream; });
  any_ = !waiters_.empty();
  return erased != 0;
}

void WordWatch::look() {
  if (any_) executor_.wake();
}

std::uint64_t WordWatch::poll(std::uint64_t now_ns) {
  std::vector<std::shared_ptr<Stream>> ready;
  std::uint64_t next_ns = spi::kNever;
  {
    std::lock_guard lock(mutex_);
    std::erase_if(waiters_, [&](Waiter& waiter) {
      if (!word_reached(waiter.word, waiter.value)) return false;
      ready.push_back(std::move(waiter.stream));
      return true;
    });
    any_ = !waiters_.empty();
    if (std::exchange(fresh_, false) || !ready.empty()) eager_until_ns_ = now_ns + kEagerForNs;
    if (!waiters_.empty()) next_ns = now_ns + (now_ns < eager_until_ns_ ? kEagerNs : kPatientNs);
  }
  for (const auto& stream : ready) stream->resume();
  return next_ns;
}

}  // namespace gpuio::host
