// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "engine/mem/pool/access.h"
#include "engine/mem/pool/format.h"

// The missed-flush simulator: memory that hosts share, and the caches of each, which know nothing of each other. A host
// sees its own lines until it drops them, others see a line when it is written back, and lines come and go at random.
// One thread, one seed: what fails once fails again.
namespace gpuio::pool::testing {

/// All places in the code that flush, fence or invalidate, by name: collected from the code, as each registers itself
/// when its template is instantiated for SimulatedAccess.
[[nodiscard]] const std::vector<std::string>& sites();
std::size_t register_site(std::string_view name);
template <SiteName kName>
inline const std::size_t kSite = register_site(kName.text);
inline constexpr std::size_t kNoSite = ~std::size_t{0};

/// What a process that dies throws, so that nothing more of it runs.
struct Killed {};

/// Counts the points at which a host may die - before each store, flush and fence of all hosts - and kills at one.
struct KillPoints {
  std::uint64_t passed = 0;
  std::uint64_t kill_at = 0;  ///< 0: never.
  bool suspended = false;

  void pass() {
    if (!suspended && ++passed == kill_at) throw Killed{};
  }
};

using SimulatedMemory = std::vector<Line>;

struct NodeOptions {
  std::uint64_t seed = 1;
  bool coherent = false;          ///< The hardware does it all: stores are seen at once, in order.
  bool blind = false;             ///< Checksums of bytes agree with everything: sequences alone must do.
  std::size_t omitted = kNoSite;  ///< This site does nothing.
};

/// One host: its caches.
class Node {
 public:
  Node(SimulatedMemory& memory, KillPoints& kill_points, const NodeOptions& options);

  [[nodiscard]] std::uint64_t load(std::uint64_t offset);
  void store(std::uint64_t offset, std::uint64_t value);
  void flush(std::size_t site, std::uint64_t offset, std::uint64_t bytes);
  void invalidate(std::size_t site, std::uint64_t offset, std::uint64_t bytes);
  void fence(std::size_t site);
  void load_fence(std::size_t site);

  /// The host dies: each dirty line was written back in the last moment, or is lost.
  void crash();
  /// All caches write back what is dirty: it was there for long enough.
  void write_back_all();

  /// Called before each access: other hosts do something in between.
  void set_hook(std::function<void()> hook) { hook_ = std::move(hook); }
  [[nodiscard]] const NodeOptions& options() const noexcept { return options_; }

 private:
  struct CachedLine {
    Line words{};
    bool present = false;
    bool dirty = false;
    bool flushing = false;
    bool dropping = false;
  };

  void tick(std::size_t line);
  CachedLine& fetch(std::size_t line);
  void write_back(std::size_t line);
  void drop(std::size_t line);
  void finish_flushes();
  void finish_drops();
  void maybe_evict();

  SimulatedMemory& memory_;
  KillPoints& kill_points_;
  const NodeOptions options_;
  base::Random random_;
  std::vector<CachedLine> cache_;
  std::vector<std::size_t> flushing_;
  std::vector<std::size_t> dropping_;
  std::function<void()> hook_;
  bool in_hook_ = false;
};

/// The policy: what the pool's code sees of a Node.
class SimulatedAccess {
 public:
  explicit SimulatedAccess(Node& node) noexcept : node_(&node) {}

  [[nodiscard]] std::uint64_t load(std::uint64_t offset) const { return node_->load(offset); }
  void store(std::uint64_t offset, std::uint64_t value) { node_->store(offset, value); }
  void copy_in(std::uint64_t offset, std::span<const std::byte> bytes);
  void copy_out(std::uint64_t offset, std::span<std::byte> bytes) const;
  [[nodiscard]] std::uint32_t checksum(std::uint64_t offset, std::uint64_t bytes) const;
  [[nodiscard]] std::uint32_t checksum(std::span<const std::byte> bytes) const;

  template <SiteName kName>
  void flush(std::uint64_t offset, std::uint64_t bytes) {
    node_->flush(kSite<kName>, offset, bytes);
  }
  template <SiteName kName>
  void invalidate(std::uint64_t offset, std::uint64_t bytes) {
    node_->invalidate(kSite<kName>, offset, bytes);
  }
  template <SiteName kName>
  void fence() {
    node_->fence(kSite<kName>);
  }
  template <SiteName kName>
  void load_fence() {
    node_->load_fence(kSite<kName>);
  }

 private:
  Node* node_;
};

}  // namespace gpuio::pool::testing
