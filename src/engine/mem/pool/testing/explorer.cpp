// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/pool/testing/explorer.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "base/checksum.h"

namespace gpuio::pool::testing {

std::uint64_t Explorer::access(Kind kind, std::uint64_t argument, std::uint64_t value) {
  if (set_up_) return initial_[argument / kLineBytes][argument % kLineBytes / kWordBytes];
  if (replayed_ < agent_->log.size()) return agent_->log[replayed_++];
  if (!may_act_) {
    agent_->pending = kind;
    agent_->argument = argument;
    throw Suspended{};
  }
  may_act_ = false;
  std::uint64_t result = 0;
  if (kind == Kind::load) result = load(*state_, *agent_, argument);
  if (kind == Kind::store) agent_->buffer.emplace_back(argument, value);
  if (kind == Kind::clock) result = state_->clock_ns;
  if (kind == Kind::hold) agent_->holds_until_ns = argument;
  agent_->last_line = kind == Kind::load ? argument / kLineBytes : ~std::uint64_t{0};
  agent_->log.push_back(result);
  ++replayed_;
  return result;
}

std::uint64_t Explorer::load(const State& state, const AgentState& agent, std::uint64_t offset) const {
  for (auto store = agent.buffer.rbegin(); store != agent.buffer.rend(); ++store) {
    if (store->first == offset) return store->second;
  }
  const auto changed = std::ranges::lower_bound(state.changed, offset, {}, &Words::value_type::first);
  if (changed != state.changed.end() && changed->first == offset) return changed->second;
  return initial_[offset / kLineBytes][offset % kLineBytes / kWordBytes];
}

/// Runs the agent up to its next access, past one if this is not the first time.
void Explorer::advance(State& state, std::size_t agent, bool first) {
  state_ = &state;
  agent_ = &state.agents[agent];
  replayed_ = 0;
  may_act_ = !first;
  ExploringAccess memory(*this);
  const ExploringClock clock(*this);
  try {
    agent_->result = agents_[agent](memory, clock);
    agent_->pending = Kind::done;
  } catch (const Suspended&) {  // NOLINT(bugprone-empty-catch): where it stopped is in `pending`
  }
  set_up_ = false;
}

/// Whether nothing that others do can matter to the agent's next access, nor it to them, so that it may come first.
bool Explorer::is_local(const AgentState& agent) const {
  switch (agent.pending) {
    case Kind::store:  // Goes to the agent's own buffer.
    case Kind::hold:
      return true;
    case Kind::clock:
      return options_.clock_ns == options_.clock_end_ns;
    case Kind::load:
      return options_.whole_lines && agent.argument / kLineBytes == agent.last_line;
    default:
      return false;
  }
}

void Explorer::step(State& state, std::size_t agent, bool first) {
  advance(state, agent, first);
  while (is_local(state.agents[agent])) advance(state, agent, false);
}

void Explorer::drain(State& state, std::size_t agent) const {
  Words& buffer = state.agents[agent].buffer;
  const std::uint64_t line = buffer.front().first / kLineBytes;
  do {
    const auto [offset, value] = buffer.front();
    const auto place = std::ranges::lower_bound(state.changed, offset, {}, &Words::value_type::first);
    if (place != state.changed.end() && place->first == offset) {
      place->second = value;
    } else {
      state.changed.emplace(place, offset, value);
    }
    buffer.erase(buffer.begin());
  } while (options_.whole_lines && !buffer.empty() && buffer.front().first / kLineBytes == line);
}

bool Explorer::enabled(const State& state, std::size_t agent) const {
  const AgentState& now = state.agents[agent];
  switch (now.pending) {
    case Kind::done:
      return false;
    case Kind::fence:
      return now.buffer.empty();
    case Kind::wait:
      return state.clock_ns >= now.argument;
    default:
      return true;
  }
}

std::vector<Explorer::State> Explorer::successors(const State& state) {
  std::vector<State> next;
  bool someone_lives = false;
  for (std::size_t agent = 0; agent < agents_.size(); ++agent) {
    if (enabled(state, agent)) step(next.emplace_back(state), agent, false);
    if (!state.agents[agent].buffer.empty()) drain(next.emplace_back(state), agent);
    someone_lives = someone_lives || state.agents[agent].pending != Kind::done;
  }
  if (someone_lives && state.clock_ns < options_.clock_end_ns) next.emplace_back(state).clock_ns += options_.tick_ns;
  return next;
}

std::string Explorer::two_hold(const State& state) {
  const auto holders = std::ranges::count_if(
      state.agents, [&](const AgentState& agent) { return agent.holds_until_ns > state.clock_ns; });
  return holders > 1 ? "two hold it at once" : "";
}

std::pair<std::uint64_t, std::uint64_t> Explorer::fingerprint(const State& state) {
  std::uint64_t first = 0x9e37'79b9'7f4a'7c15;
  std::uint64_t second = 0;
  const auto add = [&](std::uint64_t word) {
    first = (first ^ word) * 0xbf58'476d'1ce4'e5b9;
    first ^= first >> 29;
    second = (second + word + 1) * 0x94d0'49bb'1331'11eb;
    second ^= second >> 31;
  };
  const auto add_words = [&](const Words& words) {
    add(words.size());
    for (const auto& [offset, value] : words) add(offset), add(value);
  };
  add(state.clock_ns);
  add_words(state.changed);
  for (const AgentState& agent : state.agents) {
    add(agent.log.size());
    for (const std::uint64_t word : agent.log) add(word);
    add_words(agent.buffer);
  }
  return {first, second};
}

std::string Explorer::check_end(const State& state, const std::function<std::string(const Outcome&)>& check) {
  ++ends_;
  SimulatedMemory memory = initial_;
  for (const auto& [offset, value] : state.changed)
    memory[offset / kLineBytes][offset % kLineBytes / kWordBytes] = value;
  Outcome outcome{.results = {}, .memory = &memory};
  for (const AgentState& agent : state.agents) outcome.results.push_back(agent.result);
  return check(outcome);
}

std::string Explorer::run(const std::function<std::string(const Outcome&)>& check) {
  State start;
  start.clock_ns = options_.clock_ns;
  start.agents.resize(agents_.size());
  for (std::size_t agent = 0; agent < agents_.size(); ++agent) step(start, agent, true);
  std::vector<State> stack;
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen{fingerprint(start)};
  stack.push_back(std::move(start));
  while (!stack.empty()) {
    const State state = std::move(stack.back());
    stack.pop_back();
    ++states_;
    if (std::string wrong = two_hold(state); !wrong.empty()) return wrong;
    if (states_ > options_.states_max) return "too many states to visit them all";
    std::vector<State> next = successors(state);
    if (next.empty()) {
      const bool all_done =
          std::ranges::all_of(state.agents, [](const auto& agent) { return agent.pending == Kind::done; });
      if (!all_done) continue;  // The time that is looked at is over.
      if (std::string wrong = check_end(state, check); !wrong.empty()) return wrong;
    }
    for (State& successor : next) {
      if (seen.insert(fingerprint(successor)).second) stack.push_back(std::move(successor));
    }
  }
  return "";
}

std::uint64_t ExploringAccess::load(std::uint64_t offset) const {
  return explorer_->access(Explorer::Kind::load, offset, 0);
}

void ExploringAccess::store(std::uint64_t offset, std::uint64_t value) {
  explorer_->access(Explorer::Kind::store, offset, value);
}

void ExploringAccess::copy_in(std::uint64_t offset, std::span<const std::byte> bytes) {
  for (; !bytes.empty(); bytes = bytes.subspan(sizeof(std::uint64_t)), offset += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;  // Agents publish whole words.
    std::memcpy(&word, bytes.data(), sizeof(word));
    store(offset, word);
  }
}

void ExploringAccess::copy_out(std::uint64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const std::uint64_t word = load(offset);
    const std::size_t taken = std::min(bytes.size(), sizeof(word));
    std::memcpy(bytes.data(), &word, taken);
    bytes = bytes.subspan(taken);
    offset += taken;
  }
}

std::uint32_t ExploringAccess::checksum(std::span<const std::byte> bytes) const { return base::crc32c(bytes); }

void ExploringAccess::fence_named(std::string_view name) {
  if (explorer_->set_up_ || name == explorer_->options_.omitted) return;
  explorer_->access(Explorer::Kind::fence, 0, 0);
}

void ExploringAccess::wait(std::uint64_t until_ns) { explorer_->access(Explorer::Kind::wait, until_ns, 0); }

void ExploringAccess::hold(std::uint64_t until_ns) { explorer_->access(Explorer::Kind::hold, until_ns, 0); }

void ExploringAccess::set_up(bool is_set_up) noexcept { explorer_->set_up_ = is_set_up; }

std::uint64_t ExploringClock::now_ns() const {
  return explorer_->set_up_ ? 0 : explorer_->access(Explorer::Kind::clock, 0, 0);
}

}  // namespace gpuio::pool::testing
