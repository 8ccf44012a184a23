// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/pool/testing/world.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "engine/mem/pool/create.h"
#include "engine/mem/pool/superblock.h"
#include "engine/mem/pool/verify.h"

namespace gpuio::pool::testing {
namespace {

constexpr std::uint32_t kHosts = 3;
constexpr std::uint64_t kBlockBytes = 64;
constexpr std::uint64_t kChunkBytes = 256;
constexpr std::uint64_t kChunks = 10;
constexpr std::uint64_t kLeaseNs = 1'000'000;
constexpr std::uint64_t kSettleNs = 100'000;
constexpr double kInterruptChance = 1.0 / 40;

Superblock plan() {
  PoolOptions options{.members_max = kMembers,
                      .objects_per_member_max = 16,
                      .block_bytes = kBlockBytes,
                      .chunk_bytes = kChunkBytes,
                      .coherent = false,
                      .lease_ns = kLeaseNs,
                      .settle_ns = kSettleNs};
  Superblock superblock = plan_superblock(1U << 20, options, {7}).value();
  // Ownership lines grow with the pool; it shrinks to what it needs.
  for (int i = 0; i < 2; ++i) superblock.pool_bytes = geometry_of(superblock).data_begin + kChunks * kChunkBytes;
  return superblock;
}

}  // namespace

World::World(const HistoryOptions& options)
    : options_(options), random_(options.seed), superblock_(plan()), geometry_(geometry_of(superblock_)) {
  kill_points_.kill_at = options.kill_at;
  memory_.resize(geometry_.pool_bytes / kLineBytes);
  for (Line& line : memory_) {
    for (std::uint64_t& word : line) word = random_.next();  // What lies in memory before it is a pool.
  }
  for (std::uint32_t host = 0; host < kHosts; ++host) {
    const NodeOptions node{
        .seed = random_.next(), .coherent = options.coherent, .blind = options.blind, .omitted = options.omitted};
    hosts_.push_back(std::make_unique<Host>(memory_, kill_points_, node, geometry_));
    hosts_.back()->node.set_hook([this] { meanwhile(); });
  }
  // Most names share a bucket, so that it overflows into the next.
  for (int i = 0; names_.size() < 24; ++i) {
    std::string name = fmt::format("object/{}", i);
    if (i % 5 == 0)
      name += "/with a name that is longer than one line, and even than two of them, or so it seems to be";
    if (names_.size() < 20 && (hash_name(name) & (geometry_.buckets - 1)) != 0) continue;
    names_.push_back(std::move(name));
  }
}

void World::require(bool holds, std::string_view what) {
  if (!holds) throw Violation{std::string(what)};
}

World::Bytes World::draw_bytes() {
  // Few sizes, so that freed space is used again at once; each content is unlike all others.
  static constexpr std::array<std::uint64_t, 6> kSizes{0, 5, 64, 100, 128, 500};
  Bytes bytes(kSizes[random_.uniform(kSizes.size())]);
  base::Random content(++contents_);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(content.next());
  return bytes;
}

std::string World::draw_name() { return names_[random_.uniform(names_.size())]; }

std::optional<std::size_t> World::holder(std::uint32_t rank) const {
  for (std::size_t host = 0; host < hosts_.size(); ++host) {
    if (hosts_[host]->member && hosts_[host]->member->held().rank == rank) return host;
  }
  return std::nullopt;
}

/// Time passes; who lives renews in time.
void World::pass(std::uint64_t delta_ns) {
  const std::uint64_t until_ns = clock_.now_ns() + delta_ns;
  while (clock_.now_ns() < until_ns) {
    clock_.advance(std::min(kLeaseNs / 10, until_ns - clock_.now_ns()));
    for (const auto& host : hosts_) {
      if (host->member) require(host->member->keep_lease().ok(), "a member that renews in time lost its lease");
    }
  }
}

void World::create() {
  for (const auto& host : hosts_) {
    require(!read_superblock(host->access, geometry_.pool_bytes).has_value(), "a pool was found where none was made");
  }
  const std::size_t host = draw_host();
  active_ = host;
  write_pool(hosts_[host]->access, superblock_);
  creation_points_ = kill_points_.passed;
  if (random_.chance(0.3)) {
    // Once more, over one that has been used.
    check_creation();
    active_ = draw_host();
    join(*active_, 0, 0);
    for (std::size_t object = 0; object < 4; ++object) publish(*active_, names_[object]);
    leave(*active_);
    model_.clear();
    active_ = host;
    write_pool(hosts_[host]->access, superblock_);
  }
  active_.reset();
}

/// After a death on the way: there is no pool, or a whole one.
void World::check_creation() {
  const std::size_t host = draw_host();
  const Result<Superblock> found = read_superblock(hosts_[host]->access, geometry_.pool_bytes);
  if (!found) {
    require(killed_, fmt::format("a pool that was made is not seen: {}", found.error().to_string()));
    require(found.error().code() == Code::not_found, "a death while a pool was made left half of one");
    write_pool(hosts_[draw_host()]->access, superblock_);
    model_.clear();
  }
  for (const auto& other : hosts_) {
    require(read_superblock(other->access, geometry_.pool_bytes).has_value(), "a pool that was made is not seen");
  }
  verify(draw_host());
}

void World::run() {
  try {
    create();
  } catch (const Killed&) {
    die();
    kill_points_.suspended = true;
    // What was published before it was to be erased is gone, or still all there.
    model_.clear();
    unsure_.clear();
    dead_.clear();
    const Result<Superblock> found = read_superblock(hosts_[draw_host()]->access, geometry_.pool_bytes);
    require(found.has_value() || found.error().code() == Code::not_found,
            "a death while a pool was made left half of one");
    if (found.has_value()) {
      const PoolReport report = Verifier<SimulatedAccess>(hosts_[draw_host()]->access, geometry_).run();
      for (const std::string& finding : report.findings) {
        require(finding.ends_with("can't be read"), "a pool that is seen is not sound: " + finding);
      }
    }
    write_pool(hosts_[draw_host()]->access, superblock_);
  }
  check_creation();
  kill_points_.suspended = false;
  for (int i = 0; i < options_.steps; ++i) {
    try {
      step();
    } catch (const Killed&) {
      die();
    }
  }
  kill_points_.suspended = true;
  finish();
}

void World::die() {
  killed_ = true;
  kill_points_.kill_at = options_.kill_again ? kill_points_.passed + 1 + random_.uniform(400) : 0;
  Host& host = *hosts_[*active_];
  host.node.crash();
  if (host.member) dead_[host.member->held().rank] = host.member->held().incarnation;
  const auto taken = model_.find(racing_);
  const bool own_name = in_flight_ && taken != model_.end() && taken->second.rank == in_flight_->rank;
  if (in_flight_ && !own_name) unsure_[racing_] = *in_flight_;
  in_flight_.reset();
  racing_.clear();
  if (joining_) dead_[*joining_] = 0;
  for (const auto& [name, object] : unsure_) {
    // Also what it was removing: that may have been done.
    const auto known = model_.find(name);
    const bool own = host.member && object.rank == host.member->held().rank;
    if (own && known != model_.end() && known->second.rank == object.rank) model_.erase(known);
  }
  host.member.reset();
  active_.reset();
  joining_.reset();
  touched_.clear();
}

void World::step() {
  pass(random_.uniform(kLeaseNs / 20));
  if (random_.chance(0.05)) hosts_[draw_host()]->node.write_back_all();
  const std::size_t host = draw_host();
  active_ = host;
  interruptions_ = 2;
  touched_.clear();
  const std::uint64_t dice = random_.uniform(100);
  if (!hosts_[host]->member) {
    if (dice < 50) {
      join_anything(host);
    } else if (dice < 58) {
      usurp(host);
    } else if (dice < 75) {
      race(host, (host + 1) % hosts_.size());
    } else if (dice < 85) {
      probe_the_living(host);
    } else {
      read(host, draw_name());
    }
  } else if (dice < 36) {
    publish(host, draw_name());
  } else if (dice < 40) {
    abandon(host, draw_name());
  } else if (dice < 60) {
    remove(host, draw_name());
  } else if (dice < 75) {
    read(host, draw_name());
  } else if (dice < 83) {
    replace_while_read(host);
  } else if (dice < 91) {
    verify(host);
  } else {
    leave(host);
  }
  active_.reset();
  racing_.clear();
  in_flight_.reset();
}

/// Between any two accesses of the host whose turn it is, another may do something whole.
void World::meanwhile() {
  if (!active_ || racing_.empty() || interruptions_ == 0 || !random_.chance(kInterruptChance)) return;
  --interruptions_;
  const std::size_t other = (*active_ + 1 + random_.uniform(hosts_.size() - 1)) % hosts_.size();
  const std::size_t before = *active_;
  const std::string racing = racing_;
  const std::string name = random_.chance(0.7) ? racing : draw_name();
  const bool was_suspended = std::exchange(kill_points_.suspended, true);  // One death at a time.
  active_.reset();
  const base::ScopeExit done([&] {
    kill_points_.suspended = was_suspended;
    active_ = before;
    racing_ = racing;
  });
  const bool owner =
      model_.contains(name) && hosts_[other]->member && model_[name].rank == hosts_[other]->member->held().rank;
  if (!hosts_[other]->member || random_.chance(0.4)) {
    read(other, name);
  } else if (owner) {
    remove(other, name);
    if (random_.chance(0.7)) publish(other, draw_name());
  } else {
    publish(other, name);
  }
}

void World::finish() {
  active_.reset();
  racing_.clear();
  for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
    if (holder(rank)) continue;
    const auto idle = std::ranges::find_if(hosts_, [](const auto& host) { return !host->member; });
    join(static_cast<std::size_t>(idle - hosts_.begin()), rank, 0);
  }
  require(unsure_.empty(), "what became of an operation is not known");
  touched_.clear();
  for (std::size_t host = 0; host < hosts_.size(); ++host) {
    for (const std::string& name : names_) read(host, name);
    verify(host);
  }
  drain();
}

/// When all is removed, all space is there again, for anybody.
void World::drain() {
  pass(2 * kLeaseNs);  // Quarantine ends.
  const std::map<std::string, Object> all = model_;
  for (const auto& [name, object] : all) remove(*holder(object.rank), name);
  for (std::size_t host = 0; host < hosts_.size(); ++host) leave(host);
  const std::size_t host = draw_host();
  join(host, static_cast<std::uint32_t>(random_.uniform(kMembers)), 0);
  const Bytes everything(kChunks * kChunkBytes, std::byte{1});
  const Status status = hosts_[host]->member->publish("everything", everything);
  require(status.ok(), fmt::format("space is lost: {}", status.to_string()));
}

HistoryResult run_history(const HistoryOptions& options) {
  World world(options);
  HistoryResult result;
  try {
    world.run();
  } catch (const World::Violation& violation) {
    result.failure = violation.what;
  }
  result.kill_points = world.kill_points().passed;
  result.creation_points = world.creation_points();
  result.killed = world.killed();
  return result;
}

}  // namespace gpuio::pool::testing
