// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "engine/mem/pool/member.h"
#include "engine/mem/pool/testing/simulated_memory.h"

// Random histories of a pool: hosts publish, remove, read, leave, die and take over, on simulated memory, and a plain
// map says what each may see. The hosts' operations are cut into each other at any access.
namespace gpuio::pool::testing {

/// Ranks of the pool.
inline constexpr std::uint32_t kMembers = 3;

struct HistoryOptions {
  std::uint64_t seed = 1;
  int steps = 60;
  bool coherent = false;
  bool blind = false;             ///< Without checksums: sequences alone must keep wrong bytes out.
  std::size_t omitted = kNoSite;  ///< A planted omission.
  std::uint64_t kill_at = 0;      ///< The point, counted over all hosts, at which its host dies; 0: nobody dies.
  bool kill_again = false;        ///< Others die later.
};

struct HistoryResult {
  std::string failure;  ///< What broke the pool's promises first, or nothing.
  std::uint64_t kill_points = 0;
  std::uint64_t creation_points = 0;  ///< Of them, those on the way to a pool.
  bool killed = false;
};

[[nodiscard]] HistoryResult run_history(const HistoryOptions& options);

/// One history, while it runs.
class World {
 public:
  explicit World(const HistoryOptions& options);
  void run();  ///< Throws Violation.
  [[nodiscard]] const KillPoints& kill_points() const noexcept { return kill_points_; }
  [[nodiscard]] std::uint64_t creation_points() const noexcept { return creation_points_; }
  [[nodiscard]] bool killed() const noexcept { return killed_; }

  struct Violation {
    std::string what;
  };

 private:
  using Bytes = std::vector<std::byte>;
  using PoolMemberOf = Member<SimulatedAccess>;
  using PoolClaimer = Claimer<SimulatedAccess>;
  struct Host {
    Host(SimulatedMemory& memory, KillPoints& kill_points, const NodeOptions& options, const Geometry& geometry)
        : node(memory, kill_points, options), access(node), directory(access, geometry) {}
    Node node;
    SimulatedAccess access;
    Directory<SimulatedAccess> directory;
    std::optional<PoolMemberOf> member;
  };
  struct Object {
    Bytes bytes;
    std::uint32_t rank = 0;
  };

  static void require(bool holds, std::string_view what);

  // What hosts do, each checked against the model.
  void create();
  void check_creation();
  void step();
  void publish(std::size_t host, const std::string& name);
  void abandon(std::size_t host, const std::string& name);
  void remove(std::size_t host, const std::string& name);
  void read(std::size_t host, const std::string& name);
  void replace_while_read(std::size_t host);
  void leave(std::size_t host);
  void join(std::size_t host, std::uint32_t rank, std::uint64_t dead_incarnation);
  void join_anything(std::size_t host);
  void probe_the_living(std::size_t host);
  void usurp(std::size_t host);
  void race(std::size_t host, std::size_t other);
  void verify(std::size_t host);
  void finish();
  void drain();

  void become_member(std::size_t host, const Held& held);
  void settle_unsure(std::size_t host, std::uint32_t rank);
  void die();
  void pass(std::uint64_t delta_ns);
  void meanwhile();
  [[nodiscard]] bool run_claim(PoolClaimer& claimer);
  [[nodiscard]] bool unsure(const std::string& name) const { return unsure_.contains(name); }
  [[nodiscard]] bool touched(const std::string& name) const { return touched_.contains(name); }
  [[nodiscard]] Bytes draw_bytes();
  [[nodiscard]] std::string draw_name();
  [[nodiscard]] std::size_t draw_host() { return random_.uniform(hosts_.size()); }
  [[nodiscard]] std::optional<std::size_t> holder(std::uint32_t rank) const;
  void check_publish(std::size_t host, const std::string& name, const Bytes& bytes, bool was_there,
                     const Status& status);
  void check_remove(std::size_t host, const std::string& name, const std::optional<Object>& before,
                    const Status& status);

  const HistoryOptions options_;
  base::Random random_;
  base::ManualClock clock_{1'000'000'000};
  Superblock superblock_;
  Geometry geometry_;
  KillPoints kill_points_;
  SimulatedMemory memory_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::string> names_;

  std::map<std::string, Object> model_;
  std::map<std::string, Object> unsure_;               ///< May or may not be there: an operation is, or was, under way.
  std::map<std::string, std::vector<Bytes>> touched_;  ///< What others published of a name during that operation.
  std::map<std::uint32_t, std::uint64_t> dead_;        ///< Ranks whose holders died, and their incarnations.
  std::optional<std::size_t> active_;                  ///< Whose operation is under way; others come in between.
  std::optional<std::uint32_t> joining_;               ///< ... and the rank that it joins with.
  std::string racing_;                                 ///< ... and the name that it is about.
  std::optional<Object> in_flight_;                    ///< ... and what it publishes under it.
  int interruptions_ = 0;                              ///< How many more may come.
  bool killed_ = false;
  std::uint64_t creation_points_ = 0;
  std::uint64_t contents_ = 0;
  std::uint64_t nonces_ = 0;
};

}  // namespace gpuio::pool::testing
