// SPDX-License-Identifier: Apache-2.0
// Every interleaving of two or three agents, on memory as x86 has it.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "engine/mem/pool/create.h"
#include "engine/mem/pool/member.h"
#include "engine/mem/pool/testing/explorer.h"
#include "engine/mem/pool/verify.h"

namespace gpuio::pool::testing {
namespace {

constexpr std::uint64_t kForever = ~std::uint64_t{0} / 4;
using Bytes = std::array<std::byte, 8>;

Bytes bytes_of(std::uint8_t content) {
  Bytes bytes{};
  bytes.fill(std::byte{content});
  return bytes;
}

/// A pool that was made, each rank held, each with one object: what agents find.
class Start {
 public:
  explicit Start(std::uint32_t members) {
    const Superblock superblock = plan(members);
    geometry_ = geometry_of(superblock);
    memory_.resize(geometry_.pool_bytes / kLineBytes);
    Node node(memory_, kill_points_, {.coherent = true});
    SimulatedAccess access(node);
    write_pool(access, superblock);
    for (std::uint32_t rank = 0; rank < members; ++rank) {
      Held held{.rank = rank, .incarnation = 1, .renew_at_ns = kForever, .valid_until_ns = kForever};
      const base::ManualClock clock;
      Member<SimulatedAccess> member(access, geometry_, clock, held);
      member.recover();
      // Half a chunk: the other half is what the agent publishes to, without claiming.
      if (!member.publish("old/" + std::to_string(rank), bytes_of(1)).ok()) std::abort();
      held_.push_back(held);
    }
  }

  [[nodiscard]] const Geometry& geometry() const { return geometry_; }
  [[nodiscard]] const SimulatedMemory& memory() const { return memory_; }
  [[nodiscard]] SimulatedMemory& memory() { return memory_; }
  [[nodiscard]] const Held& held(std::uint32_t rank) const { return held_[rank]; }

 private:
  static Superblock plan(std::uint32_t members) {
    const PoolOptions options{
        .members_max = members, .objects_per_member_max = 8, .block_bytes = 64, .chunk_bytes = 128};
    Superblock superblock = plan_superblock(1U << 16, options, {}).value();
    for (int i = 0; i < 2; ++i)
      superblock.pool_bytes = geometry_of(superblock).data_begin + std::uint64_t{128} * (members + 1);
    return superblock;
  }

  KillPoints kill_points_;
  Geometry geometry_;
  SimulatedMemory memory_;
  std::vector<Held> held_;
};

std::uint64_t as_result(const Status& status) { return static_cast<std::uint64_t>(status.code()); }
constexpr auto kOk = static_cast<std::uint64_t>(Code::ok);

using ExploringMember = Member<ExploringAccess>;

/// An agent that is a member already.
template <class Work>
Agent as_member(const Start& start, std::uint32_t rank, const Work& work) {
  return [&start, rank, work](ExploringAccess& access, const ExploringClock& clock) {
    access.set_up(true);
    ExploringMember member(access, start.geometry(), clock, start.held(rank));
    member.recover();
    access.set_up(false);
    return work(member);
  };
}

Agent publisher(const Start& start, std::uint32_t rank, const std::string& name, std::uint8_t content) {
  return as_member(start, rank, [name, content](ExploringMember& member) {
    return as_result(member.publish(name, bytes_of(content)));
  });
}

enum class Read : std::uint64_t { nothing, stale, old_bytes, new_bytes, wrong };

/// Reads an object whose first content is 1 and whose later one is 2.
Agent reader(const Start& start, std::string name) {
  return [&start, name](ExploringAccess& access, const ExploringClock& /*clock*/) {
    const Directory<ExploringAccess> directory(access, start.geometry());
    const auto result = [&] {
      const Lookup lookup = directory.find(name, hash_name(name));
      if (lookup.damaged) return Read::wrong;
      if (!lookup.published()) return Read::nothing;
      Bytes bytes{};
      const Status status = directory.read(*lookup.found, bytes);
      if (status.code() == Code::stale) return Read::stale;
      if (!status.ok()) return Read::wrong;
      if (bytes == bytes_of(1)) return Read::old_bytes;
      return bytes == bytes_of(2) ? Read::new_bytes : Read::wrong;
    };
    return static_cast<std::uint64_t>(result());
  };
}

/// The pool of an end is sound, and has so many objects.
std::string check_pool(const Start& start, const Outcome& outcome, std::uint64_t objects) {
  SimulatedMemory memory = *outcome.memory;
  KillPoints kill_points;
  Node node(memory, kill_points, {.coherent = true});
  SimulatedAccess access(node);
  const PoolReport report = Verifier<SimulatedAccess>(access, start.geometry()).run();
  if (!report.findings.empty()) return report.findings.front();
  if (report.unfinished != 0) return "a name is left half published";
  return report.objects == objects ? "" : "the pool has other objects than were published";
}

TEST(Interleavings, TwoThatPublishOneNameNeverBothDo) {
  const Start start(2);
  const auto check = [&](const Outcome& outcome) -> std::string {
    const auto published = std::ranges::count(outcome.results, kOk);
    return published > 1 ? "both published" : check_pool(start, outcome, 2 + static_cast<std::uint64_t>(published));
  };
  const std::vector<Agent> agents{publisher(start, 0, "n", 2), publisher(start, 1, "n", 3)};
  Explorer explorer(start.memory(), agents, {});
  EXPECT_EQ(explorer.run(check), "");
  EXPECT_GT(explorer.ends(), 2U);
  RecordProperty("states", static_cast<int>(explorer.states()));

  Explorer broken(start.memory(), agents, {.omitted = "publish.intent.fence"});
  EXPECT_EQ(broken.run(check), "both published");
}

TEST(Interleavings, ThreeThatPublishOneNameNeverTwoDo) {
  const Start start(3);
  Explorer explorer(start.memory(),
                    {publisher(start, 0, "n", 2), publisher(start, 1, "n", 3), publisher(start, 2, "n", 4)},
                    {.whole_lines = true});
  EXPECT_EQ(explorer.run([&](const Outcome& outcome) -> std::string {
    const auto published = std::ranges::count(outcome.results, kOk);
    return published > 1 ? "two published" : check_pool(start, outcome, 3 + static_cast<std::uint64_t>(published));
  }),
            "");
  RecordProperty("states", static_cast<int>(explorer.states()));
}

TEST(Interleavings, AReaderOfANewObjectSeesAllOfItOrNothing) {
  const Start start(2);
  std::array<std::uint64_t, 5> seen{};
  Explorer explorer(start.memory(), {publisher(start, 0, "n", 2), reader(start, "n")}, {});
  EXPECT_EQ(explorer.run([&](const Outcome& outcome) -> std::string {
    ++seen[outcome.results[1]];
    return outcome.results[0] == kOk ? "" : "it could not be published";
  }),
            "");
  EXPECT_GT(seen[static_cast<std::size_t>(Read::nothing)], 0U);
  EXPECT_GT(seen[static_cast<std::size_t>(Read::new_bytes)], 0U);
  EXPECT_EQ(seen[static_cast<std::size_t>(Read::wrong)] + seen[static_cast<std::size_t>(Read::old_bytes)], 0U);
}

TEST(Interleavings, AReaderOfAnObjectThatIsReplacedSeesTheOldTheNewOrAnError) {
  const Start start(2);
  const Agent replacer = as_member(start, 0, [](ExploringMember& member) {
    const Status removed = member.remove("old/0");
    return removed.ok() ? as_result(member.publish("old/0", bytes_of(2))) : as_result(removed);
  });
  std::array<std::uint64_t, 5> seen{};
  Explorer explorer(start.memory(), {replacer, reader(start, "old/0")}, {});
  EXPECT_EQ(explorer.run([&](const Outcome& outcome) -> std::string {
    ++seen[outcome.results[1]];
    return outcome.results[0] == kOk ? "" : "it could not be replaced";
  }),
            "");
  EXPECT_EQ(seen[static_cast<std::size_t>(Read::wrong)], 0U);
  for (const Read read : {Read::nothing, Read::stale, Read::old_bytes, Read::new_bytes}) {
    EXPECT_GT(seen[static_cast<std::size_t>(read)], 0U) << "outcome " << static_cast<int>(read) << " was not met";
  }
}

/// Takes one chunk by the protocol, and nothing else.
Agent chunk_taker(const Start& start, std::uint32_t rank) {
  return [&start, rank](ExploringAccess& access, const ExploringClock& /*clock*/) {
    access.set_up(true);
    Ownership<ExploringAccess> ownership(access, start.geometry(), rank);
    ownership.read_own();
    access.set_up(false);
    const std::optional<std::uint64_t> chunk = ownership.take(1);
    return chunk ? *chunk + 1 : 0;
  };
}

std::string check_chunks(const Outcome& outcome) {
  std::vector<std::uint64_t> taken = outcome.results;
  std::erase(taken, 0U);
  std::ranges::sort(taken);
  return std::ranges::adjacent_find(taken) == taken.end() ? "" : "two took one chunk";
}

TEST(Interleavings, TheLastChunkIsNeverTakenByTwo) {
  const Start two(2);  // One chunk is left.
  Explorer explorer(two.memory(), {chunk_taker(two, 0), chunk_taker(two, 1)}, {});
  EXPECT_EQ(explorer.run(check_chunks), "");
  EXPECT_GT(explorer.ends(), 2U);
  Explorer broken(two.memory(), {chunk_taker(two, 0), chunk_taker(two, 1)}, {.omitted = "chunk.claim.fence"});
  EXPECT_EQ(broken.run(check_chunks), "two took one chunk");

  const Start three(3);
  Explorer of_three(three.memory(), {chunk_taker(three, 0), chunk_taker(three, 1), chunk_taker(three, 2)},
                    {.whole_lines = true});
  EXPECT_EQ(of_three.run(check_chunks), "");
}

/// Times are small numbers here, so that the clock has few states.
Geometry with_short_times(Geometry geometry) {
  geometry.lease_ns = 16;
  geometry.settle_ns = 4;
  return geometry;
}

Agent claimer(const Geometry& geometry, std::uint64_t nonce, bool waits) {
  return [&geometry, nonce, waits](ExploringAccess& access, const ExploringClock& clock) -> std::uint64_t {
    Claimer<ExploringAccess> claimer(access, geometry, clock, {.rank = 0, .nonce = nonce, .waits = waits});
    for (;;) {
      const Result<std::optional<std::uint64_t>> next = claimer.step();
      if (!next) return 0;
      if (!*next) break;
      access.wait(**next);
    }
    access.hold(claimer.held().valid_until_ns);
    return 1;
  };
}

TEST(Interleavings, AFreeRankIsNeverHeldByTwo) {
  const Start start(2);
  const Geometry geometry = with_short_times(start.geometry());
  const std::vector<Agent> agents{claimer(geometry, 11, false), claimer(geometry, 12, false)};
  std::uint64_t won = 0;
  const auto check = [&](const Outcome& outcome) -> std::string {
    if (std::ranges::count(outcome.results, 1U) > 0) ++won;
    return "";
  };
  const ExplorerOptions options{.whole_lines = true, .clock_ns = 100, .clock_end_ns = 112, .tick_ns = 2};
  Explorer explorer(start.memory(), agents, options);
  EXPECT_EQ(explorer.run(check), "");
  EXPECT_GT(won, 0U);
  RecordProperty("states", static_cast<int>(explorer.states()));

  ExplorerOptions broken = options;
  broken.omitted = "claim.write.fence";
  EXPECT_EQ(Explorer(start.memory(), agents, broken).run(check), "two hold it at once");
}

TEST(Interleavings, ThreeThatClaimAFreeRankNeither) {
  const Start start(2);
  const Geometry geometry = with_short_times(start.geometry());
  Explorer explorer(start.memory(),
                    {claimer(geometry, 11, false), claimer(geometry, 12, false), claimer(geometry, 13, false)},
                    {.whole_lines = true, .clock_ns = 100, .clock_end_ns = 108, .tick_ns = 4});
  EXPECT_EQ(explorer.run([](const Outcome& /*outcome*/) { return ""; }), "");
  RecordProperty("states", static_cast<int>(explorer.states()));
}

/// A rank whose holder claimed it, and has been silent since.
void let_die(Start& start) {
  KillPoints kill_points;
  Node node(start.memory(), kill_points, {.coherent = true});
  SimulatedAccess access(node);
  store_line(access, start.geometry().claim(0),
             encode(Claim{.incarnation = 1, .nonce = 7, .state = Claim::State::active}));
}

TEST(Interleavings, TheRankOfTheDeadIsTakenOverByOneAtMost) {
  Start start(2);
  let_die(start);
  const Geometry geometry = with_short_times(start.geometry());
  std::uint64_t won = 0;
  Explorer explorer(start.memory(), {claimer(geometry, 11, true), claimer(geometry, 12, true)},
                    {.whole_lines = true, .clock_ns = 100, .clock_end_ns = 128, .tick_ns = 4});
  EXPECT_EQ(explorer.run([&](const Outcome& outcome) {
    won += static_cast<std::uint64_t>(std::ranges::count(outcome.results, 1U));
    return "";
  }),
            "");
  EXPECT_GT(won, 0U);
  RecordProperty("states", static_cast<int>(explorer.states()));
}

/// Holds rank 0 with a lease to 108, and renews it once, whenever it gets to that.
Agent holder(const Geometry& geometry) {
  return [&geometry](ExploringAccess& access, const ExploringClock& clock) -> std::uint64_t {
    Held held{.rank = 0, .incarnation = 1, .nonce = 7, .valid_until_ns = 108};
    access.hold(held.valid_until_ns);
    const Status renewed = renew(access, geometry, clock, held, {});
    access.hold(renewed.ok() ? held.valid_until_ns : 0);
    return renewed.ok() ? 1 : 0;
  };
}

TEST(Interleavings, WhoRenewsIsNotTakenForDeadAndWhoDoesTooLateKnowsIt) {
  Start start(2);
  let_die(start);
  const Geometry geometry = with_short_times(start.geometry());
  const std::vector<Agent> agents{holder(geometry), claimer(geometry, 11, true)};
  std::array<std::uint64_t, 4> ends{};
  const auto check = [&](const Outcome& outcome) -> std::string {
    ++ends[outcome.results[0] * 2 + outcome.results[1]];
    return "";
  };
  const ExplorerOptions options{.whole_lines = true, .clock_ns = 100, .clock_end_ns = 128, .tick_ns = 4};
  Explorer explorer(start.memory(), agents, options);
  EXPECT_EQ(explorer.run(check), "");
  EXPECT_GT(ends[1], 0U) << "never taken over";
  EXPECT_GT(ends[2], 0U) << "never renewed against a claimer";
  RecordProperty("states", static_cast<int>(explorer.states()));
}

}  // namespace
}  // namespace gpuio::pool::testing
