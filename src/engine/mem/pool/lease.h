// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/try.h"
#include "engine/mem/pool/access.h"
#include "engine/mem/pool/format.h"
#include "gpuio/result.hpp"

namespace gpuio::pool {

/// How a rank is asked for.
struct ClaimOptions {
  std::uint32_t rank = 0;
  std::uint64_t nonce = 0;             ///< Of this attempt alone; not 0.
  std::uint64_t dead_incarnation = 0;  ///< The caller knows that this one ended: its lease need not run out.
  bool waits = true;                   ///< Watches a rank that seems to be held; else `busy` at once.
};

/// A rank's holder may act until `valid_until_ns`.
struct Held {
  std::uint32_t rank = 0;
  std::uint64_t incarnation = 0;
  std::uint64_t nonce = 0;
  std::uint64_t beats = 0;
  std::uint64_t renew_at_ns = 0;
  std::uint64_t valid_until_ns = 0;
  bool predecessor_died = false;  ///< It, or one before it, did not leave: it may be alive, without a lease.
};

inline Status lease_lost(std::uint32_t rank, std::string_view why) {
  return Status(Code::stale, "the lease of this pool member is lost: " + std::string(why) + "; join again")
      .with_scope(FailureScope::peer)
      .with("rank", rank);
}

/// What a rank's first two lines say now.
struct RankLines {
  Line claim_line{};
  Line beat_line{};
  Claim claim;
  Beat beat;
  bool claim_readable = false;  ///< Else a claimer was stopped in the middle, or the line is damaged.
  bool beat_readable = false;
  [[nodiscard]] bool free() const noexcept { return claim_readable && claim.state != Claim::State::active; }
};

template <class Access>
[[nodiscard]] RankLines read_rank(Access& access, const Geometry& geometry, std::uint32_t rank) {
  access.template invalidate<"claim.look.invalidate">(geometry.claim(rank), kLineBytes);
  access.template invalidate<"claim.watch.invalidate">(geometry.beat(rank), kLineBytes);
  access.template load_fence<"claim.look.load_fence">();
  RankLines lines;
  lines.claim_line = load_line(access, geometry.claim(rank));
  lines.beat_line = load_line(access, geometry.beat(rank));
  lines.claim_readable = decode(lines.claim_line, lines.claim);
  lines.beat_readable = decode(lines.beat_line, lines.beat);
  return lines;
}

/// Counts up the beat. What it has to say may be late; that it changed must be seen.
template <class Access>
void write_beat(Access& access, const Geometry& geometry, const Held& held, Beat statistics) {
  statistics.incarnation = held.incarnation;
  statistics.count = held.beats;
  store_line(access, geometry.beat(held.rank), encode(statistics));
  access.template flush<"lease.beat.flush">(geometry.beat(held.rank), kLineBytes);
  access.template fence<"lease.beat.fence">();
}

/// Takes a rank: the claim of format.h, as a state machine. Thread safety: none.
template <class Access>
class Claimer {
 public:
  Claimer(Access& access, const Geometry& geometry, const base::Clock& clock, const ClaimOptions& options)
      : access_(access), geometry_(geometry), clock_(clock), options_(options) {}

  /// Does what can be done now. Gives the time to call again, or nothing once the rank is held. Fails with `busy`.
  [[nodiscard]] Result<std::optional<std::uint64_t>> step() {
    switch (stage_) {
      case Stage::look:
        return look();
      case Stage::watch:
        return watch();
      case Stage::settle:
        return settle();
      case Stage::held:
        break;
    }
    return std::optional<std::uint64_t>();
  }

  [[nodiscard]] const Held& held() const noexcept { return held_; }

 private:
  using Next = Result<std::optional<std::uint64_t>>;
  enum class Stage : std::uint8_t { look, watch, settle, held };

  [[nodiscard]] Status busy(std::string_view why) const {
    return Status(Code::busy, std::string(why))
        .with_scope(FailureScope::peer)
        .with_retryable(true)
        .with("rank", options_.rank);
  }

  [[nodiscard]] Next look() {
    const std::uint64_t read_ns = clock_.now_ns();
    seen_ = read_rank(access_, geometry_, options_.rank);
    const bool known_dead = seen_.claim_readable && seen_.claim.state == Claim::State::active &&
                            options_.dead_incarnation != 0 && seen_.claim.incarnation == options_.dead_incarnation;
    if (seen_.free() || known_dead) return write(read_ns);
    if (!options_.waits) return busy("another member holds the rank");
    stage_ = Stage::watch;
    until_ns_ = clock_.now_ns() + geometry_.lease_ns;  // After the read: a beat may have come just before it.
    return std::optional(until_ns_);
  }

  [[nodiscard]] Next watch() {
    const std::uint64_t read_ns = clock_.now_ns();
    if (read_ns < until_ns_) return std::optional(until_ns_);
    const RankLines now = read_rank(access_, geometry_, options_.rank);
    if (now.claim_line != seen_.claim_line || now.beat_line != seen_.beat_line) {
      return busy("another member holds the rank, and lives");
    }
    return write(read_ns);
  }

  [[nodiscard]] Next write(std::uint64_t read_ns) {
    held_ = {.rank = options_.rank,
             .incarnation = std::max(seen_.claim.incarnation, seen_.beat.incarnation) + 1,
             .nonce = options_.nonce,
             .beats = seen_.beat.count,
             .valid_until_ns = read_ns + geometry_.lease_ns / 2,
             .predecessor_died = !seen_.free() || seen_.claim.state == Claim::State::left_quarantine};
    const Claim claim{.incarnation = held_.incarnation, .nonce = held_.nonce, .state = Claim::State::active};
    store_line(access_, geometry_.claim(options_.rank), encode(claim));
    access_.template flush<"claim.write.flush">(geometry_.claim(options_.rank), kLineBytes);
    access_.template fence<"claim.write.fence">();
    const std::uint64_t written_ns = clock_.now_ns();
    if (written_ns - read_ns > geometry_.settle_ns / 2) {
      // Whoever claimed in the meantime may have settled, and this store came over its claim. It lives, then.
      stage_ = Stage::look;
      return std::optional(written_ns);
    }
    stage_ = Stage::settle;
    until_ns_ = written_ns + geometry_.settle_ns;
    return std::optional(until_ns_);
  }

  [[nodiscard]] Next settle() {
    const std::uint64_t start_ns = clock_.now_ns();
    if (start_ns < until_ns_) return std::optional(until_ns_);
    access_.template invalidate<"claim.verify.invalidate">(geometry_.claim(options_.rank), kLineBytes);
    access_.template load_fence<"claim.verify.load_fence">();
    Claim claim;
    if (!decode(load_line(access_, geometry_.claim(options_.rank)), claim) || claim.nonce != held_.nonce) {
      return busy("another member claimed the rank at the same time");
    }
    ++held_.beats;
    write_beat(access_, geometry_, held_, {});
    if (clock_.now_ns() >= held_.valid_until_ns) return busy("claiming the rank took longer than its lease allows");
    held_.valid_until_ns = start_ns + geometry_.lease_ns / 2;
    held_.renew_at_ns = start_ns + geometry_.lease_ns / 8;
    stage_ = Stage::held;
    return std::optional<std::uint64_t>();
  }

  Access& access_;
  const Geometry& geometry_;
  const base::Clock& clock_;
  const ClaimOptions options_;
  Stage stage_ = Stage::look;
  std::uint64_t until_ns_ = 0;
  RankLines seen_;
  Held held_;
};

/// Renews a lease, with what the beat shall tell. Fails with `stale`: the rank is another's, or this came too late.
template <class Access>
[[nodiscard]] Status renew(Access& access, const Geometry& geometry, const base::Clock& clock, Held& held,
                           const Beat& statistics) {
  const std::uint64_t start_ns = clock.now_ns();
  if (start_ns >= held.valid_until_ns) return lease_lost(held.rank, "it was not renewed in time");
  access.template invalidate<"lease.renew.invalidate">(geometry.claim(held.rank), kLineBytes);
  access.template load_fence<"lease.renew.load_fence">();
  Claim claim;
  if (!decode(load_line(access, geometry.claim(held.rank)), claim) || claim.nonce != held.nonce) {
    held.valid_until_ns = 0;
    return lease_lost(held.rank, "another incarnation took the rank over");
  }
  ++held.beats;
  write_beat(access, geometry, held, statistics);
  if (clock.now_ns() >= held.valid_until_ns) return lease_lost(held.rank, "renewing it took too long");
  held.valid_until_ns = start_ns + geometry.lease_ns / 2;
  held.renew_at_ns = start_ns + geometry.lease_ns / 8;
  return {};
}

/// Gives the rank back: the next to ask gets it at once.
template <class Access>
void give_back(Access& access, const Geometry& geometry, const Held& held, Claim::State state) {
  const Claim claim{.incarnation = held.incarnation, .nonce = held.nonce, .state = state};
  store_line(access, geometry.claim(held.rank), encode(claim));
  access.template flush<"lease.leave.flush">(geometry.claim(held.rank), kLineBytes);
  access.template fence<"lease.leave.fence">();
}

}  // namespace gpuio::pool
