// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/spi/executor.h"

namespace gpuio::host {

class Stream;

/// True once `*word` has reached `value` in the cyclic order of u32.
[[nodiscard]] bool word_reached(const std::uint32_t* word, std::uint32_t value) noexcept;

/// Resumes streams that wait for words in memory. Anybody may write such a word (the core, a GPU, another process), so
/// it must be looked at again and again: by the reactor, often at first, and only while a stream is parked here. Thread
/// safety: all members.
class WordWatch final : public spi::Pollable {
 public:
  explicit WordWatch(spi::Executor& executor) : executor_(executor) { executor_.attach(*this); }
  ~WordWatch() { executor_.detach(*this); }
  WordWatch(const WordWatch&) = delete;
  WordWatch& operator=(const WordWatch&) = delete;

  /// Has `stream` resumed when the word is reached; it may run elsewhere when this returns.
  void park(std::shared_ptr<Stream> stream, const std::uint32_t* word, std::uint32_t value);
  /// Takes a parked stream back; false if it is being resumed.
  bool unpark(const Stream* stream);
  /// A word may have changed: looks soon.
  void look();

  std::uint64_t poll(std::uint64_t now_ns) override;

 private:
  struct Waiter {
    std::shared_ptr<Stream> stream;
    const std::uint32_t* word;
    std::uint32_t value;
  };

  spi::Executor& executor_;
  std::mutex mutex_;
  std::vector<Waiter> waiters_;
  std::atomic<bool> any_{false};
  bool fresh_ = false;  ///< Somebody parked or a word changed since the last poll.
  std::uint64_t eager_until_ns_ = 0;
};

}  // namespace gpuio::host
