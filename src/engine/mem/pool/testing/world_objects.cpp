// SPDX-License-Identifier: Apache-2.0
// What its hosts do to objects, and what the plain model says of it.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "engine/mem/pool/testing/world.h"

namespace gpuio::pool::testing {

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

}  // namespace gpuio::pool::testing
