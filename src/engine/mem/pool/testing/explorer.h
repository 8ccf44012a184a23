// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/mem/pool/access.h"
#include "engine/mem/pool/testing/simulated_memory.h"

// All interleavings of a few agents that run the pool's own code on coherent memory with store buffers, as x86 has them
// (stores become visible in order, but later, and fences wait for that).
//
// An agent is a function of what it reads; so where it stands is told by what it has read. To take a step, it is run
// from its start, given again what it read before, let do one access more, and stopped by an exception at the next. So
// agents need no threads, and states can be copied, compared and returned to: each is visited once.
namespace gpuio::pool::testing {

class Explorer;

/// The policy for agents.
class ExploringAccess {
 public:
  explicit ExploringAccess(Explorer& explorer) noexcept : explorer_(&explorer) {}

  [[nodiscard]] std::uint64_t load(std::uint64_t offset) const;
  void store(std::uint64_t offset, std::uint64_t value);
  void copy_in(std::uint64_t offset, std::span<const std::byte> bytes);
  void copy_out(std::uint64_t offset, std::span<std::byte> bytes) const;
  [[nodiscard]] std::uint32_t checksum(std::span<const std::byte> bytes) const;

  template <SiteName kName>
  void flush(std::uint64_t /*offset*/, std::uint64_t /*bytes*/) {}
  template <SiteName kName>
  void invalidate(std::uint64_t /*offset*/, std::uint64_t /*bytes*/) {}
  template <SiteName kName>
  void fence() {
    fence_named(kName.text);
  }
  template <SiteName kName>
  void load_fence() {}

  // For agents, not for the pool's code:
  void wait(std::uint64_t until_ns);  ///< Goes on when the clock shows that.
  void hold(
      std::uint64_t until_ns);  ///< Tells that from here on to that time it believes to hold what they compete for.
  void set_up(bool is_set_up) noexcept;  ///< While true, the memory is as it was at first, and nothing is a step.

 private:
  void fence_named(std::string_view name);
  Explorer* explorer_;
};

class ExploringClock final : public base::Clock {
 public:
  explicit ExploringClock(Explorer& explorer) noexcept : explorer_(&explorer) {}
  [[nodiscard]] std::uint64_t now_ns() const override;

 private:
  Explorer* explorer_;
};

/// Returns what became of it.
using Agent = std::function<std::uint64_t(ExploringAccess&, const ExploringClock&)>;

struct ExplorerOptions {
  std::string omitted = {};    ///< A fence that does nothing.
  bool whole_lines = false;    ///< Lines are loaded, and become visible, at once: fewer interleavings, for more agents.
  std::uint64_t clock_ns = 0;  ///< At first.
  std::uint64_t clock_end_ns = 0;
  std::uint64_t tick_ns = 1;
  std::size_t states_max = 3'000'000;
};

/// What a check sees.
struct Outcome {
  std::vector<std::uint64_t> results;  ///< Of each agent.
  const SimulatedMemory* memory = nullptr;
};

class Explorer {
 public:
  Explorer(SimulatedMemory memory, std::vector<Agent> agents, ExplorerOptions options)
      : initial_(std::move(memory)), agents_(std::move(agents)), options_(std::move(options)) {}

  /// Visits all states. `check` is called wherever all agents have ended, and says what is wrong, or nothing. Returns
  /// the first thing wrong, two holders at once among them.
  [[nodiscard]] std::string run(const std::function<std::string(const Outcome&)>& check);
  [[nodiscard]] std::size_t states() const noexcept { return states_; }
  [[nodiscard]] std::size_t ends() const noexcept { return ends_; }

 private:
  friend class ExploringAccess;
  friend class ExploringClock;
  enum class Kind : std::uint8_t { load, store, fence, clock, wait, hold, done };
  struct Suspended {};
  using Words = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
  struct AgentState {
    std::vector<std::uint64_t> log;  ///< What each access gave.
    Words buffer;                    ///< Stores that nobody else sees yet.
    Kind pending = Kind::load;
    std::uint64_t argument = 0;  ///< Of the access that it stands before: an offset or a time.
    std::uint64_t last_line = ~std::uint64_t{0};
    std::uint64_t holds_until_ns = 0;
    std::uint64_t result = 0;
  };
  struct State {
    Words changed;  ///< Words of memory that are not as they were at first, by offset.
    std::uint64_t clock_ns = 0;
    std::vector<AgentState> agents;
  };

  std::uint64_t access(Kind kind, std::uint64_t argument, std::uint64_t value);
  void advance(State& state, std::size_t agent, bool first);
  void step(State& state, std::size_t agent, bool first);
  [[nodiscard]] bool is_local(const AgentState& agent) const;
  void drain(State& state, std::size_t agent) const;
  [[nodiscard]] bool enabled(const State& state, std::size_t agent) const;
  [[nodiscard]] std::vector<State> successors(const State& state);
  [[nodiscard]] std::uint64_t load(const State& state, const AgentState& agent, std::uint64_t offset) const;
  [[nodiscard]] static std::string two_hold(const State& state);
  [[nodiscard]] static std::pair<std::uint64_t, std::uint64_t> fingerprint(const State& state);
  [[nodiscard]] std::string check_end(const State& state, const std::function<std::string(const Outcome&)>& check);

  const SimulatedMemory initial_;
  const std::vector<Agent> agents_;
  const ExplorerOptions options_;
  std::size_t states_ = 0;
  std::size_t ends_ = 0;

  // The agent that is being run:
  State* state_ = nullptr;
  AgentState* agent_ = nullptr;
  std::size_t replayed_ = 0;
  bool may_act_ = false;
  bool set_up_ = false;
};

}  // namespace gpuio::pool::testing
