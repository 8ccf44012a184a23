// SPDX-License-Identifier: Apache-2.0
// How its hosts join, leave, and take over from the dead.
#include <algorithm>

#include "engine/mem/pool/testing/world.h"
#include "engine/mem/pool/verify.h"

namespace gpuio::pool::testing {

void World::leave(std::size_t host) {
  require(hosts_[host]->member->leave().ok(), "a member could not leave");
  hosts_[host]->member.reset();
}

bool World::run_claim(PoolClaimer& claimer) {
  for (;;) {
    const Result<std::optional<std::uint64_t>> next = claimer.step();
    if (!next) return false;
    if (!*next) return true;
    if (**next > clock_.now_ns()) pass(**next - clock_.now_ns());
  }
}

void World::join(std::size_t host, std::uint32_t rank, std::uint64_t dead_incarnation) {
  joining_ = rank;
  const ClaimOptions claim{.rank = rank, .nonce = ++nonces_, .dead_incarnation = dead_incarnation};
  PoolClaimer claimer(hosts_[host]->access, geometry_, clock_, claim);
  require(run_claim(claimer), "a rank that nobody holds could not be joined with");
  become_member(host, claimer.held());
  joining_.reset();
}

void World::become_member(std::size_t host, const Held& held) {
  joining_ = held.rank;
  hosts_[host]->member.emplace(hosts_[host]->access, geometry_, clock_, held);
  require(hosts_[host]->member->recover() == 0, "objects were lost when a rank was taken over");
  settle_unsure(host, held.rank);
  dead_.erase(held.rank);
  joining_.reset();
}

/// The rank's new holder knows what became of what its last one was at.
void World::settle_unsure(std::size_t host, std::uint32_t rank) {
  for (auto entry = unsure_.begin(); entry != unsure_.end();) {
    const auto& [name, object] = *entry;
    if (object.rank != rank) {
      ++entry;
      continue;
    }
    Lookup lookup;
    hosts_[host]->directory.find_in(rank, name, hash_name(name), lookup);
    if (!model_.contains(name) || model_[name].rank == rank) {
      model_.erase(name);
      if (lookup.published()) model_[name] = object;
    }
    const std::string settled = name;
    entry = unsure_.erase(entry);
    // The others see it at once.
    const bool was_suspended = std::exchange(kill_points_.suspended, true);
    const std::optional<std::size_t> active = std::exchange(active_, std::nullopt);
    for (std::size_t other = 0; other < hosts_.size(); ++other) {
      read(other, settled);
      if (other != host && hosts_[other]->member && !model_.contains(settled)) publish(other, settled);
    }
    kill_points_.suspended = was_suspended;
    active_ = active;
  }
}

void World::join_anything(std::size_t host) {
  const auto rank = static_cast<std::uint32_t>(random_.uniform(kMembers));
  if (holder(rank)) return;
  const auto dead = dead_.find(rank);
  join(host, rank, dead != dead_.end() && random_.chance(0.5) ? dead->second : 0);
  if (random_.chance(0.3)) leave(host);  // What it put right must be seen all the same.
}

/// Who asks for a rank whose holder lives gets nothing, however long it watches.
void World::probe_the_living(std::size_t host) {
  const auto rank = static_cast<std::uint32_t>(random_.uniform(kMembers));
  if (!holder(rank)) return;
  const ClaimOptions claim{.rank = rank, .nonce = ++nonces_};
  PoolClaimer claimer(hosts_[host]->access, geometry_, clock_, claim);
  kill_points_.suspended = true;
  require(!run_claim(claimer), "a rank was given to two");
  kill_points_.suspended = false;
}

/// A rank is taken from the living, who were said to be dead: they learn of it, at the latest when they renew.
void World::usurp(std::size_t host) {
  const auto rank = static_cast<std::uint32_t>(random_.uniform(kMembers));
  const std::optional<std::size_t> victim = holder(rank);
  if (!victim) return;
  kill_points_.suspended = true;
  const std::uint64_t incarnation = hosts_[*victim]->member->held().incarnation;
  PoolMemberOf fenced = std::move(*hosts_[*victim]->member);
  hosts_[*victim]->member.reset();
  join(host, rank, incarnation);
  require(fenced.renew_now().code() == Code::stale, "a member that was fenced renewed its lease");
  require(fenced.publish("too late", {}).code() == Code::stale, "a member that was fenced published");
  kill_points_.suspended = false;
}

/// Two want one rank at once: at most one gets it.
void World::race(std::size_t host, std::size_t other) {
  const auto rank = static_cast<std::uint32_t>(random_.uniform(kMembers));
  if (holder(rank) || hosts_[other]->member || dead_.contains(rank)) return;
  kill_points_.suspended = true;
  PoolClaimer first(hosts_[host]->access, geometry_, clock_, {.rank = rank, .nonce = ++nonces_, .waits = false});
  PoolClaimer second(hosts_[other]->access, geometry_, clock_, {.rank = rank, .nonce = ++nonces_, .waits = false});
  std::uint64_t accesses = random_.uniform(40);
  bool second_lives = true;
  hosts_[host]->node.set_hook([&] {
    if (accesses-- == 0) second_lives = second.step().has_value();
  });
  const bool first_lives = first.step().has_value();
  hosts_[host]->node.set_hook([this] { meanwhile(); });
  const bool first_holds = first_lives && run_claim(first);
  const bool second_holds = second_lives && run_claim(second);
  require(!first_holds || !second_holds, "a rank was given to two at once");
  if (first_holds) become_member(host, first.held());
  if (second_holds) become_member(other, second.held());
  if (!first_holds && !second_holds) dead_[rank] = 0;  // Both gave up; the claim looks like one of the dead.
  kill_points_.suspended = false;
}

void World::verify(std::size_t host) {
  const PoolReport report = Verifier<SimulatedAccess>(hosts_[host]->access, geometry_).run();
  for (const std::string& finding : report.findings) {
    // Who dies while it claims or beats leaves half a line, which the next holder writes anew.
    const bool half_line = finding.ends_with("the claim can't be read") || finding.ends_with("the beat can't be read");
    require(half_line && !dead_.empty(), finding);
  }
  require(report.objects >= model_.size() - std::min(model_.size(), unsure_.size()), "verify misses objects");
  require(report.objects <= model_.size() + unsure_.size(), "verify sees objects that were removed");
  require(!unsure_.empty() || !dead_.empty() || report.unfinished == 0, "a name is left half published");
}

}  // namespace gpuio::pool::testing
