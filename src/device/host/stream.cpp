// SPDX-License-Identifier: Apache-2.0
#include "device/host/stream.h"

#include <type_traits>
#include <utility>

#include "device/host/crew.h"

namespace gpuio::host {
namespace {

// After so many operations a stream goes to the back of the pool's queue, so that one that is fed without end does not
// keep a worker from the others.
constexpr unsigned kOperationsPerTurn = 64;

constexpr std::uint64_t kStopLookNs = 1'000'000;

}  // namespace

void Stream::push(const Operation& operation) { push_all({&operation, 1}); }

void Stream::push_all(std::span<const Operation> operations) {
  if (operations.empty()) return;
  {
    std::lock_guard lock(mutex_);
    if (capture_) {
      capture_->insert(capture_->end(), operations.begin(), operations.end());
      return;
    }
    queue_.insert(queue_.end(), operations.begin(), operations.end());
    queued_ += operations.size();
    if (alive_ != nullptr) return;
    alive_ = shared_from_this();
  }
  executor_.post(*this);
}

Status Stream::begin_capture() {
  std::lock_guard lock(mutex_);
  if (capture_) return Status(Code::invalid_argument, "the stream is being captured already");
  capture_.emplace();
  return {};
}

Result<std::unique_ptr<Graph>> Stream::end_capture() {
  std::lock_guard lock(mutex_);
  if (!capture_) return Status(Code::invalid_argument, "the stream is not being captured");
  auto graph = std::make_unique<Graph>(std::move(*capture_));
  capture_.reset();
  return graph;
}

bool Stream::capturing() const {
  std::lock_guard lock(mutex_);
  return capture_.has_value();
}

void Stream::run() {
  std::shared_ptr<Stream> last_reference;
  for (unsigned turn = 0; turn < kOperationsPerTurn; ++turn) {
    std::unique_lock lock(mutex_);
    if (queue_.empty()) {
      last_reference = std::move(alive_);
      return;
    }
    Operation operation = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    if (execute(operation) == Step::elsewhere) return;
    complete(1);
  }
  executor_.post(*this);
}

Stream::Step Stream::execute(Operation& operation) {
  return std::visit(
      [&](auto& what) {
        using What = std::remove_cvref_t<decltype(what)>;
        if constexpr (std::is_same_v<What, RecordOperation>) {
          what.mark->reach(executor_);
        } else if constexpr (std::is_same_v<What, WaitMarkOperation>) {
          return wait_for(what.mark);
        } else if constexpr (std::is_same_v<What, WaitWordOperation>) {
          return wait_for(what);
        } else if constexpr (std::is_same_v<What, WriteWordOperation>) {
          std::atomic_ref<std::uint32_t>(*what.word).store(what.value, std::memory_order_release);
          words_.look();
        } else {
          const std::uint64_t parts = Crew::parts_for(operation, executor_.workers());
          if (parts > 1) {
            const auto crew = std::make_shared<Crew>(std::move(operation), parts, shared_from_this());
            return Crew::run(crew, executor_) ? Step::done : Step::elsewhere;
          }
          Crew::run_part(operation, 0, 1);
        }
        return Step::done;
      },
      operation);
}

Stream::Step Stream::wait_for(const std::shared_ptr<Mark>& mark) {
  {
    std::lock_guard lock(mutex_);
    parked_at_ = mark;
  }
  // Once parked, another thread may already be running this stream, so its members are off limits.
  if (mark->park(shared_from_this())) return Step::elsewhere;
  std::lock_guard lock(mutex_);
  parked_at_.reset();
  return Step::done;
}

Stream::Step Stream::wait_for(const WaitWordOperation& wait) {
  if (word_reached(wait.word, wait.value)) return Step::done;
  words_.park(shared_from_this(), wait.word, wait.value);
  return Step::elsewhere;
}

void Stream::resume() {
  {
    std::lock_guard lock(mutex_);
    parked_at_.reset();
  }
  complete(1);
  executor_.post(*this);
}

void Stream::finish_operation() {
  complete(1);
  run();
}

void Stream::complete(std::uint64_t operations) {
  completed_.fetch_add(operations);
  completed_word_.fetch_add(1);
  // A sleeper announces itself before it looks at the word, so either it sees the change or we see it.
  if (sleepers_.load() != 0) executor_.notify(completed_word_);
}

void Stream::synchronize() {
  std::uint64_t target = 0;
  {
    std::lock_guard lock(mutex_);
    target = queued_;
  }
  sleepers_.fetch_add(1);
  while (true) {
    const std::uint32_t word = completed_word_.load();
    if (completed_.load() >= target) break;
    executor_.wait(completed_word_, word, spi::kNever);
  }
  sleepers_.fetch_sub(1);
}

void Stream::stop() {
  std::uint64_t dropped = 0;
  std::uint64_t target = 0;
  {
    std::lock_guard lock(mutex_);
    target = queued_;
    dropped = queue_.size();
    queue_.clear();
  }
  complete(dropped);
  // It may be about to park just now, so one look does not do.
  while (completed_.load() < target) {
    unpark();
    const std::uint32_t word = completed_word_.load();
    if (completed_.load() >= target) return;
    executor_.wait(completed_word_, word, executor_.clock().now_ns() + kStopLookNs);
  }
}

void Stream::unpark() {
  std::shared_ptr<Mark> mark;
  {
    std::lock_guard lock(mutex_);
    mark = parked_at_;
  }
  if ((mark != nullptr && mark->unpark(this)) || words_.unpark(this)) resume();
}

}  // namespace gpuio::host
