// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <utility>

#include "base/unique_fd.h"
#include "core/spi/executor.h"

/// What the tests of the executors drive.
namespace gpuio::core {

inline constexpr std::uint64_t kMs = 1'000'000;

class FunctionTask final : public spi::Task {
 public:
  explicit FunctionTask(std::function<void()> function) : function_(std::move(function)) {}
  void run() override { function_(); }

 private:
  std::function<void()> function_;
};

/// A machine that counts its polls and does in them what the test says.
class TestMachine final : public spi::Pollable {
 public:
  explicit TestMachine(std::function<std::uint64_t(std::uint64_t)> on_poll = {}) : on_poll_(std::move(on_poll)) {}

  std::uint64_t poll(std::uint64_t now_ns) override {
    ++polls;
    return on_poll_ ? on_poll_(now_ns) : spi::kNever;
  }
  [[nodiscard]] int wake_fd() const noexcept override { return fd; }

  std::atomic<std::uint32_t> polls{0};
  std::atomic<int> fd{-1};

 private:
  std::function<std::uint64_t(std::uint64_t)> on_poll_;
};

/// A descriptor that is readable from `signal` to `clear`.
class TestEvent {
 public:
  TestEvent() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void signal() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof one);
  }
  /// True if it was signalled.
  [[nodiscard]] bool clear() const {
    std::uint64_t count = 0;
    return ::read(fd_.get(), &count, sizeof count) > 0;
  }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  base::UniqueFd fd_;
};

}  // namespace gpuio::core
