// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/pool/testing/simulated_memory.h"

#include <cstring>

#include "base/checksum.h"
#include "base/scope_exit.h"

namespace gpuio::pool::testing {
namespace {

std::vector<std::string>& site_list() {
  static std::vector<std::string> list;
  return list;
}

constexpr double kEvictChance = 1.0 / 16;
constexpr double kPrefetchChance = 1.0 / 16;
constexpr double kAtOnceChance = 1.0 / 4;  ///< That a flush or an invalidation does not wait for its fence.

std::size_t first_line(std::uint64_t offset) { return offset / kLineBytes; }
std::size_t end_line(std::uint64_t offset, std::uint64_t bytes) {
  return bytes == 0 ? first_line(offset) : (offset + bytes - 1) / kLineBytes + 1;
}

}  // namespace

const std::vector<std::string>& sites() { return site_list(); }

std::size_t register_site(std::string_view name) {
  site_list().emplace_back(name);
  return site_list().size() - 1;
}

Node::Node(SimulatedMemory& memory, KillPoints& kill_points, const NodeOptions& options)
    : memory_(memory), kill_points_(kill_points), options_(options), random_(options.seed), cache_(memory.size()) {}

void Node::tick(std::size_t line) {
  if (hook_ && !in_hook_) {
    in_hook_ = true;
    const base::ScopeExit leave([this] { in_hook_ = false; });
    hook_();
  }
  if (options_.coherent) return;
  maybe_evict();
  if (random_.chance(kPrefetchChance)) fetch(line + 1 < memory_.size() ? line + 1 : line);
}

Node::CachedLine& Node::fetch(std::size_t line) {
  CachedLine& cached = cache_[line];
  if (!cached.present) cached = {.words = memory_[line], .present = true};
  return cached;
}

void Node::write_back(std::size_t line) {
  if (cache_[line].dirty) memory_[line] = cache_[line].words;  // All of it: a cache knows no words.
  cache_[line].dirty = false;
  cache_[line].flushing = false;
}

void Node::drop(std::size_t line) {
  write_back(line);
  cache_[line] = {};
}

void Node::maybe_evict() {
  if (random_.chance(kEvictChance)) drop(random_.uniform(memory_.size()));
}

std::uint64_t Node::load(std::uint64_t offset) {
  const std::size_t line = first_line(offset);
  tick(line);
  const std::size_t word = offset % kLineBytes / kWordBytes;
  return options_.coherent ? memory_[line][word] : fetch(line).words[word];
}

void Node::store(std::uint64_t offset, std::uint64_t value) {
  const std::size_t line = first_line(offset);
  tick(line);
  kill_points_.pass();
  const std::size_t word = offset % kLineBytes / kWordBytes;
  if (options_.coherent) {
    memory_[line][word] = value;
    return;
  }
  CachedLine& cached = fetch(line);
  cached.words[word] = value;
  cached.dirty = true;
}

void Node::flush(std::size_t site, std::uint64_t offset, std::uint64_t bytes) {
  tick(first_line(offset));
  kill_points_.pass();
  if (site == options_.omitted || options_.coherent) return;
  for (std::size_t line = first_line(offset); line < end_line(offset, bytes); ++line) {
    if (!cache_[line].dirty) continue;
    if (random_.chance(kAtOnceChance)) {
      write_back(line);
    } else {
      cache_[line].flushing = true;
      flushing_.push_back(line);
    }
  }
}

void Node::invalidate(std::size_t site, std::uint64_t offset, std::uint64_t bytes) {
  tick(first_line(offset));
  if (site == options_.omitted || options_.coherent) return;
  for (std::size_t line = first_line(offset); line < end_line(offset, bytes); ++line) {
    if (random_.chance(kAtOnceChance)) {
      drop(line);
    } else {
      cache_[line].dropping = true;
      dropping_.push_back(line);
    }
  }
}

void Node::finish_flushes() {
  for (const std::size_t line : flushing_) {
    if (cache_[line].flushing) write_back(line);
  }
  flushing_.clear();
}

void Node::finish_drops() {
  for (const std::size_t line : dropping_) {
    if (cache_[line].dropping) drop(line);
  }
  dropping_.clear();
}

void Node::fence(std::size_t site) {
  tick(0);
  kill_points_.pass();
  if (site == options_.omitted) return;
  finish_flushes();
  finish_drops();
}

void Node::load_fence(std::size_t site) {
  tick(0);
  if (site == options_.omitted) return;
  finish_drops();
}

void Node::write_back_all() {
  for (std::size_t line = 0; line < cache_.size(); ++line) write_back(line);
}

void Node::crash() {
  for (std::size_t line = 0; line < cache_.size(); ++line) {
    if (random_.chance(0.5)) write_back(line);
    cache_[line] = {};
  }
  flushing_.clear();
  dropping_.clear();
}

void SimulatedAccess::copy_in(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::size_t taken = std::min(bytes.size(), sizeof(std::uint64_t));
    std::uint64_t word = 0;
    if (taken < sizeof(word)) word = load(offset);
    std::memcpy(&word, bytes.data(), taken);
    store(offset, word);
    offset += taken;
    bytes = bytes.subspan(taken);
  }
}

void SimulatedAccess::copy_out(std::uint64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const std::size_t taken = std::min(bytes.size(), sizeof(std::uint64_t));
    const std::uint64_t word = load(offset);
    std::memcpy(bytes.data(), &word, taken);
    offset += taken;
    bytes = bytes.subspan(taken);
  }
}

std::uint32_t SimulatedAccess::checksum(std::uint64_t offset, std::uint64_t bytes) const {
  std::vector<std::byte> copy(bytes);
  copy_out(offset, copy);
  return checksum(copy);
}

std::uint32_t SimulatedAccess::checksum(std::span<const std::byte> bytes) const {
  return node_->options().blind ? 0 : base::crc32c(bytes);
}

}  // namespace gpuio::pool::testing
