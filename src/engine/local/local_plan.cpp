// SPDX-License-Identifier: Apache-2.0
// How LocalStore chooses between page cache and O_DIRECT.
#include <algorithm>

#include "base/align.h"
#include "engine/local/local_engine.h"
#include "engine/local/local_store.h"

namespace gpuio::local {
namespace {

spi::Plan cached_plan(std::uint64_t length, std::string_view reason) {
  spi::Plan plan;
  plan.way = spi::Way::cached;
  plan.length = length;
  plan.reason = reason;
  return plan;
}

spi::Plan resident_plan(std::uint64_t length, std::string_view reason, std::string_view medium) {
  spi::Plan plan = cached_plan(length, reason);
  plan.resident = true;
  plan.lendable = true;
  plan.medium = medium;
  return plan;
}

spi::Plan queued_plan(std::uint64_t length, std::string_view reason) {
  spi::Plan plan = cached_plan(length, reason);
  plan.way = spi::Way::queued;
  return plan;
}

}  // namespace

spi::Plan LocalStore::plan(spi::RunKind kind, std::uint64_t offset, std::uint64_t length, CacheUse cache) {
  return kind == spi::RunKind::write ? plan_write(offset, length, cache) : plan_read(offset, length, cache);
}

ResidencyMap::Answer LocalStore::resident(std::uint64_t offset, std::uint64_t length) {
  return residency_.ask(offset, length, size(), engine_.clock().now_ns());
}

spi::Plan LocalStore::direct_plan(std::uint64_t length, std::string_view reason) const {
  spi::Plan plan = queued_plan(length, reason);
  plan.way = spi::Way::direct;
  plan.offset_alignment = file_.alignment().offset();
  plan.memory_alignment = file_.alignment().memory();
  return plan;
}

spi::Plan LocalStore::plan_read(std::uint64_t offset, std::uint64_t length, CacheUse cache) {
  // What does not depend on the range holds for the rest of the store too.
  const std::uint64_t rest = std::max(length, size() - std::min(size(), offset));
  if (in_memory()) return resident_plan(rest, "the file system keeps it in memory", "file system in memory");
  const bool direct = file_.alignment().usable();
  if (cache == CacheUse::direct && direct) return direct_plan(rest, "asked for");
  if (cache == CacheUse::automatic && direct && direct_use_ == DirectUse::always) {
    return direct_plan(rest, "local.direct is always");
  }
  const ResidencyMap::Answer answer = resident(offset, length);
  if (answer.resident) return resident_plan(answer.length, "in the page cache", "page cache");
  if (cache == CacheUse::cached) return queued_plan(answer.length, "cold; the page cache was asked for");
  if (direct_use_ == DirectUse::never) return queued_plan(answer.length, "cold; local.direct is never");
  if (!direct) return queued_plan(answer.length, "cold; O_DIRECT does not work here");
  if (length >= engine_.settings().direct_bytes_min) return direct_plan(answer.length, "cold and large");
  const std::uint64_t alignment = file_.alignment().offset();
  if (((offset | length) & (alignment - 1)) == 0) return direct_plan(answer.length, "cold and aligned");
  return queued_plan(answer.length, "cold, small and unaligned");
}

spi::Plan LocalStore::plan_write(std::uint64_t offset, std::uint64_t length, CacheUse cache) {
  if (in_memory()) return cached_plan(length, "the file system keeps it in memory");
  if (cache == CacheUse::cached) return cached_plan(length, "asked for");
  if (!file_.alignment().usable()) return cached_plan(length, "O_DIRECT does not work here");
  const bool insist = cache == CacheUse::direct || direct_use_ == DirectUse::always;
  if (!insist && direct_use_ == DirectUse::never) return cached_plan(length, "local.direct is never");
  if (!insist && length < engine_.settings().direct_bytes_min) return cached_plan(length, "small");

  constexpr std::uint64_t kPage = DirectAlignment::kPageBytes;
  const std::uint64_t page = std::max<std::uint64_t>(kPage, file_.alignment().offset());
  const std::uint64_t head = base::align_up(offset, page) - offset;
  if (head != 0) return cached_plan(std::min(head, length), "an unaligned end");
  const std::uint64_t whole = base::align_down(length, page);
  if (whole == 0) return cached_plan(length, "an unaligned end");
  std::uint64_t holds = whole;
  if (!insist && offset < size()) {
    const std::uint64_t existing = std::min(whole, size() - offset);
    const ResidencyMap::Answer answer = resident(offset, existing);
    if (answer.resident) return cached_plan(std::min(answer.length, existing), "its pages are in memory");
    // Answers end at page boundaries, but for the one at the store's end, behind which nothing is in memory.
    if (answer.length < existing) holds = std::max(base::align_down(answer.length, page), page);
  }
  spi::Plan plan = direct_plan(holds, insist ? "asked for" : "large and not in memory");
  plan.offset_alignment = static_cast<std::uint32_t>(page);
  plan.memory_alignment = std::max(plan.memory_alignment, DirectAlignment::kPageBytes);
  return plan;
}

}  // namespace gpuio::local
