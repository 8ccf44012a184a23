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
constexpr std::uint32_t kMembers = 3;
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

void World::publish(std::size_t host, const std::string& name) {
  const Bytes bytes = draw_bytes();
  const bool was_there = model_.contains(name);
  const bool was_unsure = unsure(name);
  const std::uint32_t rank = hosts_[host]->member->held().rank;
  const bool outer = active_.has_value();
  if (outer) {
    racing_ = name;
    in_flight_ = {bytes, rank};
  }
  if (!was_unsure && !was_there) unsure_[name] = {bytes, rank};
  // What two deaths make of one name is more than the model keeps.
  const bool was_suspended = std::exchange(kill_points_.suspended, kill_points_.suspended || was_unsure);
  const Status status = hosts_[host]->member->publish(name, bytes);
  kill_points_.suspended = was_suspended;
  if (!outer && status.ok()) touched_[name].push_back(bytes);
  if (!outer) touched_.try_emplace(name);
  if (was_unsure) {
    // The name is part of an operation that is under way, or that a death cut short.
    if (status.ok()) {
      require(!model_.contains(name) || !outer || touched(name), "a name was published twice");
      if (!outer || dead_.contains(unsure_[name].rank)) unsure_.erase(name);
      model_[name] = {bytes, rank};
    } else {
      require(status.code() == Code::busy || status.code() == Code::already_exists || status.code() == Code::no_space,
              fmt::format("publish: {}", status.to_string()));
    }
    return;
  }
  if (!was_there) unsure_.erase(name);
  check_publish(host, name, bytes, was_there, status);
}

void World::check_publish(std::size_t host, const std::string& name, const Bytes& bytes, bool was_there,
                          const Status& status) {
  const std::uint32_t rank = hosts_[host]->member->held().rank;
  if (status.ok()) {
    require(!model_.contains(name), "a name was published twice");
    require(!was_there || touched(name), "a name that was there was published");
    model_[name] = {bytes, rank};
    return;
  }
  if (status.code() == Code::already_exists) {
    return require(was_there || touched(name), fmt::format("publish said that '{}' was there", name));
  }
  if (status.code() == Code::busy) {
    // The dead may have been about to find out that the name was taken.
    return require(touched(name) || !dead_.empty(), "a name is busy for no reason");
  }
  require(status.code() == Code::no_space, fmt::format("publish: {}", status.to_string()));
}

void World::abandon(std::size_t host, const std::string& name) {
  if (model_.contains(name) || unsure(name)) return;
  const Bytes bytes = draw_bytes();
  unsure_[name] = {bytes, hosts_[host]->member->held().rank};
  const Result<Place> place = hosts_[host]->member->reserve(name, bytes.size());
  if (place) {
    hosts_[host]->access.copy_in(place->offset, bytes);
    hosts_[host]->member->abandon(*place);
  }
  unsure_.erase(name);
}

void World::remove(std::size_t host, const std::string& name) {
  const auto found = model_.find(name);
  const std::optional<Object> before = found != model_.end() ? std::optional(found->second) : std::nullopt;
  const bool was_unsure = unsure(name);
  const bool outer = active_.has_value();
  if (outer) racing_ = name;
  if (before && !was_unsure) unsure_[name] = *before;
  const Status status = hosts_[host]->member->remove(name);
  if (!outer) touched_.try_emplace(name);
  if (was_unsure) {
    // An owner's remove comes between another's publish of the name.
    if (status.ok()) model_.erase(name);
    return;
  }
  unsure_.erase(name);
  check_remove(host, name, before, status);
}

void World::check_remove(std::size_t host, const std::string& name, const std::optional<Object>& before,
                         const Status& status) {
  const std::uint32_t rank = hosts_[host]->member->held().rank;
  if (before && before->rank == rank) {
    require(status.ok(), fmt::format("an object could not be removed: {}", status.to_string()));
    // Another may have published the name as soon as it was free.
    if (model_.contains(name) && model_[name].rank == rank) model_.erase(name);
    return;
  }
  if (touched(name)) return require(!status.ok(), "what another published was removed");
  const Code expected = before ? Code::permission_denied : Code::not_found;
  require(status.code() == expected, fmt::format("remove: {}", status.to_string()));
}

void World::read(std::size_t host, const std::string& name) {
  const auto start = model_.find(name);
  const std::optional<Object> before = start != model_.end() ? std::optional(start->second) : std::nullopt;
  const std::optional<Object> candidate = unsure(name) ? std::optional(unsure_[name]) : std::nullopt;
  if (active_) racing_ = name;
  const Lookup lookup = hosts_[host]->directory.find(name, hash_name(name));
  require(!lookup.damaged, "a slot can't be read");
  const std::optional<Object> in_flight = name == racing_ ? in_flight_ : std::nullopt;
  const bool free_to_change = candidate || in_flight || touched(name);
  if (!lookup.published()) {
    return require(!before || free_to_change, fmt::format("'{}' is not found at host {}", name, host));
  }
  Bytes bytes(lookup.found->header.bytes);
  const Status status = hosts_[host]->directory.read(*lookup.found, bytes);
  if (status.code() == Code::stale) return require(free_to_change || touched(name), "an object is stale that is there");
  require(status.ok(), fmt::format("read: {}", status.to_string()));
  const bool right = (before && bytes == before->bytes) || (candidate && bytes == candidate->bytes) ||
                     (in_flight && bytes == in_flight->bytes) ||
                     (touched(name) && std::ranges::find(touched_[name], bytes) != touched_[name].end());
  require(right, "wrong bytes were read");
}

/// An object's owner removes it, and publishes others over it, while it is read.
void World::replace_while_read(std::size_t host) {
  const std::uint32_t rank = hosts_[host]->member->held().rank;
  std::vector<std::string> own;
  for (const auto& [name, object] : model_) {
    if (object.rank == rank && !unsure(name) && object.bytes.size() >= 64) own.push_back(name);
  }
  if (own.empty()) return;
  const std::string name = own[random_.uniform(own.size())];
  const Bytes old = model_[name].bytes;
  const std::size_t reader = (host + 1) % hosts_.size();
  Bytes bytes(old.size());
  const Lookup lookup = hosts_[reader]->directory.find(name, hash_name(name));
  require(lookup.published(), "an object is not found");
  std::uint64_t accesses = 2 + random_.uniform(2 * old.size() / kWordBytes + 4);
  active_.reset();
  hosts_[reader]->node.set_hook([&] {
    if (accesses-- != 0) return;
    kill_points_.suspended = true;
    remove(host, name);
    for (int i = 0; i < 2; ++i) {
      Bytes next(old.size());
      for (std::byte& byte : next) byte = static_cast<std::byte>(random_.next());
      const std::string other = draw_name();
      if (model_.contains(other) || unsure(other)) continue;
      if (hosts_[host]->member->publish(other, next).ok()) model_[other] = {next, rank};
    }
    kill_points_.suspended = false;
  });
  const Status status = hosts_[reader]->directory.read(*lookup.found, bytes);
  hosts_[reader]->node.set_hook([this] { meanwhile(); });
  active_ = host;
  require(status.ok() || status.code() == Code::stale, fmt::format("read: {}", status.to_string()));
  require(!status.ok() || bytes == old, "wrong bytes were read of an object that was removed meanwhile");
}

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
