// SPDX-License-Identifier: Apache-2.0
#include "sim/executor.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

namespace gpuio::sim {
namespace {

/// What a task or a poll takes at most. Without it a machine that asks to be polled at once would stop time.
constexpr std::uint64_t kStepNsMax = 2'000;

}  // namespace

Executor::~Executor() {
  while (!tasks_.empty()) run_task(0);
}

void Executor::detach(spi::Pollable& machine) {
  for (Machine& known : machines_) {
    if (known.pollable == &machine) known.pollable = nullptr;
  }
}

void Executor::wake() {
  for (Machine& machine : machines_) machine.woken = true;
}

bool Executor::due(const Machine& machine) const noexcept {
  return machine.pollable != nullptr && (machine.woken || machine.next_ns <= clock_.now_ns());
}

bool Executor::step() {
  std::erase_if(machines_, [](const Machine& machine) { return machine.pollable == nullptr; });
  ready_.clear();
  for (std::size_t i = 0; i < machines_.size(); ++i) {
    if (due(machines_[i])) ready_.push_back(i);
  }
  const std::size_t choices = tasks_.size() + ready_.size();
  if (choices == 0) return false;
  ++steps_;
  const std::size_t choice = fate_->uniform(choices);
  clock_.advance(1 + fate_->uniform(kStepNsMax));
  if (choice < tasks_.size()) {
    run_task(choice);
  } else {
    poll_machine(ready_[choice - tasks_.size()]);
  }
  return true;
}

void Executor::run_task(std::size_t index) {
  spi::Task* const task = tasks_[index];
  tasks_[index] = tasks_.back();
  tasks_.pop_back();
  task->run();
}

void Executor::poll_machine(std::size_t index) {
  machines_[index].woken = false;
  polling_ = true;
  const std::uint64_t next_ns = machines_[index].pollable->poll(clock_.now_ns());
  polling_ = false;
  machines_[index].next_ns = next_ns;  // by index: a poll may have attached another
}

void Executor::jump(std::uint64_t no_later_than_ns) {
  std::uint64_t next_ns = no_later_than_ns;
  for (const Machine& machine : machines_) {
    if (machine.pollable != nullptr) next_ns = std::min(next_ns, machine.next_ns);
  }
  if (next_ns == spi::kNever) fail("deadlock: somebody waits, and nothing will ever run");
  clock_.advance_to(next_ns);
}

bool Executor::wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::uint64_t deadline_ns) {
  if (polling_) fail("a wait inside a poll: the reactor waits for itself");
  const std::uint64_t begin_ns = clock_.now_ns();
  while (word.load(std::memory_order_acquire) == value && clock_.now_ns() < deadline_ns) {
    if (!step()) jump(deadline_ns);
    if (clock_.now_ns() - begin_ns > options_.patience_ns) fail("hang: somebody waits longer than anything takes");
  }
  return word.load(std::memory_order_acquire) != value;
}

void Executor::run_for(std::uint64_t duration_ns) {
  const std::uint64_t end_ns = clock_.now_ns() + duration_ns;
  while (clock_.now_ns() < end_ns) {
    if (!step()) jump(end_ns);
  }
}

void Executor::fail(const char* why) const {
  std::fprintf(stderr, "simulation: %s; seed=%" PRIu64 " now_ns=%" PRIu64 " steps=%" PRIu64 "\n", why, fate_->seed(),
               clock_.now_ns(), steps_);
  std::abort();
}

}  // namespace gpuio::sim
