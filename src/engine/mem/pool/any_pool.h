// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/mem/pool/directory.h"
#include "engine/mem/pool/format.h"
#include "engine/mem/pool/lease.h"
#include "engine/mem/pool/member.h"
#include "engine/mem/pool/verify.h"
#include "gpuio/pool.hpp"

// What the public classes hold: the templates over Access behind virtual functions, one call for a whole operation.
namespace gpuio::pool {

/// PoolStatistics as it is counted.
struct PoolCounters {
  std::atomic<std::uint64_t> published, published_bytes, removed, found, not_found, read, read_bytes, stale, corrupt;

  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t amount = 1) noexcept {
    counter.fetch_add(amount, std::memory_order_relaxed);
  }
};

/// A Member for any thread.
class AnyMember {
 public:
  virtual ~AnyMember() = default;
  [[nodiscard]] virtual Held held() const = 0;
  [[nodiscard]] virtual std::uint64_t lost() const = 0;
  [[nodiscard]] virtual Status publish(std::string_view name, std::span<const std::byte> bytes) = 0;
  [[nodiscard]] virtual Result<std::pair<Place, std::byte*>> reserve(std::string_view name, std::uint64_t bytes) = 0;
  [[nodiscard]] virtual Status commit(const Place& place) = 0;
  virtual void abandon(const Place& place) = 0;
  [[nodiscard]] virtual Status remove(std::string_view name) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> renew() = 0;
  [[nodiscard]] virtual Status leave() = 0;
};

/// Memory with a pool in it. Thread safety: const.
class AnyPool {
 public:
  AnyPool(Pin memory, const Geometry& geometry, const PoolInfo& info)
      : geometry_(geometry), info_(info), memory_(std::move(memory)) {}
  virtual ~AnyPool() = default;

  [[nodiscard]] virtual Lookup find(std::string_view name) const = 0;
  [[nodiscard]] virtual Status read(const Found& found, std::span<std::byte> into) const = 0;
  [[nodiscard]] virtual Status check_bytes(const Found& found) const = 0;
  [[nodiscard]] virtual Status still_there(const Found& found) const = 0;
  [[nodiscard]] virtual std::vector<PoolObjectInfo> objects() const = 0;
  [[nodiscard]] virtual std::vector<RankLines> ranks() const = 0;
  [[nodiscard]] virtual PoolReport verify() const = 0;
  /// Blocks. `self` is this, for the member to keep.
  [[nodiscard]] virtual Result<std::shared_ptr<AnyMember>> join(const ClaimOptions& options,
                                                                std::shared_ptr<const AnyPool> self) const = 0;

  [[nodiscard]] std::byte* address(std::uint64_t offset) const noexcept { return memory_.data() + offset; }

  [[nodiscard]] const Geometry& geometry() const noexcept { return geometry_; }
  [[nodiscard]] const PoolInfo& info() const noexcept { return info_; }
  [[nodiscard]] PoolCounters& counters() const noexcept { return counters_; }

 private:
  const Geometry geometry_;
  const PoolInfo info_;
  mutable PoolCounters counters_{};
  Pin memory_;
};

template <class Access>
class MemberOf final : public AnyMember {
 public:
  MemberOf(std::shared_ptr<const AnyPool> pool, Access access, const base::Clock& clock, const Held& held)
      : pool_(std::move(pool)),
        access_(access),
        member_(access_, pool_->geometry(), clock, held),
        lost_(member_.recover()) {}

  [[nodiscard]] Held held() const override {
    const std::scoped_lock lock(mutex_);
    return member_.held();
  }
  [[nodiscard]] std::uint64_t lost() const override { return lost_; }

  [[nodiscard]] Status publish(std::string_view name, std::span<const std::byte> bytes) override {
    const std::scoped_lock lock(mutex_);
    const Status status = member_.publish(name, bytes);
    if (status.ok()) count_published(bytes.size());
    return status;
  }
  [[nodiscard]] Result<std::pair<Place, std::byte*>> reserve(std::string_view name, std::uint64_t bytes) override {
    const std::scoped_lock lock(mutex_);
    GPUIO_ASSIGN(const Place place, member_.reserve(name, bytes));
    return std::pair(place, access_.address(place.offset));
  }
  [[nodiscard]] Status commit(const Place& place) override {
    // The checksum is the long part, and reads what only the caller has.
    const std::uint32_t crc = access_.checksum(place.offset, place.bytes);
    const std::scoped_lock lock(mutex_);
    const Status status = member_.commit(place, crc);
    if (status.ok()) count_published(place.bytes);
    return status;
  }
  void abandon(const Place& place) override {
    const std::scoped_lock lock(mutex_);
    // Without a lease nothing may be written; the next incarnation frees the name.
    if (member_.keep_lease().ok()) member_.abandon(place);
  }
  [[nodiscard]] Status remove(std::string_view name) override {
    const std::scoped_lock lock(mutex_);
    const Status status = member_.remove(name);
    if (status.ok()) PoolCounters::add(pool_->counters().removed);
    return status;
  }
  [[nodiscard]] Result<std::uint64_t> renew() override {
    const std::scoped_lock lock(mutex_);
    GPUIO_TRY(member_.renew_now());
    return member_.held().valid_until_ns;
  }
  [[nodiscard]] Status leave() override {
    const std::scoped_lock lock(mutex_);
    return member_.leave();
  }

 private:
  void count_published(std::uint64_t bytes) const {
    PoolCounters::add(pool_->counters().published);
    PoolCounters::add(pool_->counters().published_bytes, bytes);
  }

  const std::shared_ptr<const AnyPool> pool_;
  mutable std::mutex mutex_;
  Access access_;
  Member<Access> member_;
  const std::uint64_t lost_;
};

/// Waits until a clock shows a time.
using Wait = void (*)(const base::Clock& clock, std::uint64_t until_ns);

template <class Access>
class PoolOf final : public AnyPool {
 public:
  PoolOf(Pin memory, Access access, const Geometry& geometry, const PoolInfo& info, const base::Clock& clock, Wait wait)
      : AnyPool(std::move(memory), geometry, info), access_(access), clock_(clock), wait_(wait) {}

  [[nodiscard]] Lookup find(std::string_view name) const override {
    const std::uint32_t first = last_rank_.load(std::memory_order_relaxed);
    Lookup lookup = directory_.find(name, hash_name(name), first);
    if (lookup.published() && lookup.found->rank != first) {
      last_rank_.store(lookup.found->rank, std::memory_order_relaxed);
    }
    return lookup;
  }
  [[nodiscard]] Status read(const Found& found, std::span<std::byte> into) const override {
    return directory_.read(found, into);
  }
  [[nodiscard]] Status check_bytes(const Found& found) const override { return directory_.check(found); }
  [[nodiscard]] Status still_there(const Found& found) const override { return directory_.still_there(found); }

  [[nodiscard]] std::vector<PoolObjectInfo> objects() const override {
    std::vector<PoolObjectInfo> all;
    for (std::uint32_t rank = 0; rank < geometry().members; ++rank) {
      for (std::uint32_t slot = 0; slot < geometry().slots; ++slot) {
        const std::optional<SlotHeader> header = directory_.header(rank, slot);
        if (!header || header->state != SlotState::published) continue;
        const Found found{rank, slot, *header};
        std::string name = directory_.name_of(found);
        if (!directory_.still_there(found).ok()) continue;
        all.push_back({std::move(name), header->bytes, rank, header->incarnation});
      }
    }
    return all;
  }
  [[nodiscard]] std::vector<RankLines> ranks() const override {
    std::vector<RankLines> all;
    all.reserve(geometry().members);
    for (std::uint32_t rank = 0; rank < geometry().members; ++rank) all.push_back(read_rank(access_, geometry(), rank));
    return all;
  }
  [[nodiscard]] PoolReport verify() const override { return Verifier<Access>(access_, geometry()).run(); }

  [[nodiscard]] Result<std::shared_ptr<AnyMember>> join(const ClaimOptions& options,
                                                        std::shared_ptr<const AnyPool> self) const override {
    Claimer<Access> claimer(access_, geometry(), clock_, options);
    for (;;) {
      GPUIO_ASSIGN(const std::optional<std::uint64_t> next, claimer.step());
      if (!next) break;
      wait_(clock_, *next);
    }
    return std::shared_ptr<AnyMember>(
        std::make_shared<MemberOf<Access>>(std::move(self), access_, clock_, claimer.held()));
  }

 private:
  mutable Access access_;  // Reading invalidates, which changes no byte.
  const base::Clock& clock_;
  const Wait wait_;
  const Directory<Access> directory_{access_, geometry()};
  mutable std::atomic<std::uint32_t> last_rank_ = 0;  ///< Where the last name was found: tried first.
};

}  // namespace gpuio::pool
