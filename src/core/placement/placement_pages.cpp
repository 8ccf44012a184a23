// SPDX-License-Identifier: Apache-2.0
// Where pages are, and moving them. The kernel is asked for so many pages at a time, whatever the size of the range.
#include <algorithm>
#include <cerrno>
#include <map>

#include "base/align.h"
#include "base/clock.h"
#include "base/try.h"
#include "core/placement/placement.h"

namespace gpuio {

std::uint64_t PlacementReport::on(int node) const noexcept {
  const auto found = std::ranges::find(nodes, node, &NodeBytes::node);
  return found != nodes.end() ? found->bytes : 0;
}

double MigrationReport::bytes_per_second() const noexcept {
  return seconds > 0 ? static_cast<double>(moved_pages * page_bytes) / seconds : 0;
}

}  // namespace gpuio

namespace gpuio::core::placement {
namespace {

/// Pages of one question: 16 MiB of small pages, milliseconds of moving.
constexpr std::size_t kPagesPerCall = 4096;

/// What `places` holds for pages that the kernel never came to.
constexpr int kNotReached = -EAGAIN;

/// Whole pages that cover a range of bytes.
struct Pages {
  std::byte* base;
  std::size_t bytes;
  std::size_t page_bytes;

  static Pages covering(const PlacementSystem& system, std::byte* base, std::size_t bytes) {
    const std::size_t page = system.page_bytes();
    const auto address = reinterpret_cast<std::uintptr_t>(base);
    const std::uintptr_t first = address / page * page;
    return {base - (address - first), base::align_up(address + bytes - first, page), page};
  }

  /// Calls `visit(offset, pages)` for bounded slices, from the front; stops at a failure.
  template <class Visit>
  Status each_slice(const Visit& visit) const {
    std::vector<void*> slice;
    for (std::size_t at = 0; at < bytes; at += kPagesPerCall * page_bytes) {
      slice.clear();
      const std::size_t end = std::min(bytes, at + kPagesPerCall * page_bytes);
      for (std::size_t page = at; page < end; page += page_bytes) slice.push_back(base + page);
      GPUIO_TRY(visit(at, std::span<void* const>(slice)));
    }
    return {};
  }
};

Status no_answer(int error) {
  if (error == EPERM || error == ENOSYS) {
    return Status(Code::unsupported, "a sandbox forbids move_pages, or the kernel has no NUMA").with_native(error);
  }
  return Status::from_errno(error, "asking where pages are failed");
}

class Migration {
 public:
  Migration(PlacementSystem& system, const Pages& pages, const Placement& placement, const Topology& topology,
            std::vector<int> nodes)
      : system_(system),
        pages_(pages),
        topology_(topology),
        nodes_(std::move(nodes)),
        dealt_(placement.policy == PlacementPolicy::interleave ||
               placement.policy == PlacementPolicy::weighted_interleave),
        deal_(deal_of(system, placement, topology, nodes_, pages.base, pages.bytes, DealFor::pages_there)) {
    report_.page_bytes = pages.page_bytes;
  }

  /// Bytes that each node is still to take: what strict memory needs room for.
  Result<std::map<int, std::uint64_t>> wanted() {
    std::map<int, std::uint64_t> bytes;
    const auto add = [&](std::size_t offset, std::span<void* const> slice) -> Status {
      GPUIO_TRY(query(slice));
      for (std::size_t i = 0; i < slice.size(); ++i) {
        const int target = target_of(offset + i * pages_.page_bytes, places_[i]);
        if (target >= 0) bytes[target] += pages_.page_bytes;
      }
      return {};
    };
    GPUIO_TRY(pages_.each_slice(add));
    return bytes;
  }

  Result<MigrationReport> run() {
    const base::SystemClock clock;
    const std::uint64_t start = clock.now_ns();
    GPUIO_TRY(pages_.each_slice([&](std::size_t offset, std::span<void* const> slice) { return move(offset, slice); }));
    report_.seconds = static_cast<double>(clock.now_ns() - start) * 1e-9;
    for (const auto& [error, count] : failed_) {
      report_.failed_pages += count;
      report_.failures.push_back({reason(error), count});
    }
    return report_;
  }

 private:
  Status query(std::span<void* const> slice) {
    places_.assign(slice.size(), -ENOENT);
    const int error = system_.query(slice, places_);
    return error == 0 ? Status() : no_answer(error);
  }

  /// Where a page is to go; -1: it is right where it is, or not there.
  [[nodiscard]] int target_of(std::size_t offset, int place) const {
    if (place < 0) return -1;
    if (dealt_) {
      const int target = deal_.node_at(offset);
      return target == place ? -1 : target;
    }
    if (std::ranges::find(nodes_, place) != nodes_.end()) return -1;
    return *std::ranges::min_element(nodes_, {}, [&](int node) { return topology_.distance(place, node); });
  }

  Status move(std::size_t offset, std::span<void* const> slice) {
    GPUIO_TRY(query(slice));
    std::vector<void*> wrong;
    std::vector<int> targets;
    for (std::size_t i = 0; i < slice.size(); ++i) {
      const int target = target_of(offset + i * pages_.page_bytes, places_[i]);
      if (target >= 0) {
        wrong.push_back(slice[i]);
        targets.push_back(target);
      } else {
        ++(places_[i] < 0 ? report_.absent_pages : report_.placed_pages);
      }
    }
    // Of a huge page the kernel moves all with the first small one, and says "busy" for the others: what counts is
    // where they are afterwards. A second try is for pages that somebody held for a moment.
    for (int attempt = 0; attempt < 2 && !wrong.empty(); ++attempt) GPUIO_TRY(move_once(wrong, targets, attempt == 1));
    return {};
  }

  /// Leaves in `wrong` and `targets` those that did not move; the last time they are booked as failed.
  Status move_once(std::vector<void*>& wrong, std::vector<int>& targets, bool last) {
    std::vector<int> outcomes(wrong.size(), kNotReached);
    const int error = system_.move(wrong, targets, outcomes);
    if (error == EPERM || error == ENOSYS) return no_answer(error);
    // Anything else (a full node is ENOMEM) ends the call where it stands, and is the reason of those after it.
    if (error != 0) std::ranges::replace(outcomes, kNotReached, -error);
    GPUIO_TRY(query(wrong));
    std::size_t left = 0;
    for (std::size_t i = 0; i < wrong.size(); ++i) {
      if (places_[i] == targets[i]) {
        ++report_.moved_pages;
        continue;
      }
      if (last) ++failed_[outcomes[i] < 0 ? -outcomes[i] : EAGAIN];
      wrong[left] = wrong[i];
      targets[left++] = targets[i];
    }
    wrong.resize(left);
    targets.resize(left);
    return {};
  }

  static Status reason(int error) {
    switch (error) {
      case EBUSY:
        return Status(Code::busy, "a device or the kernel holds the page").with_native(error);
      case ENOMEM:
        return Status(Code::out_of_memory, "its target node has no memory left").with_native(error);
      case EACCES:
        return Status(Code::permission_denied, "other processes map the page as well").with_native(error);
      case EAGAIN:
        return Status(Code::would_block, "the kernel gave up before it came to the page").with_native(error);
      default:
        return Status::from_errno(error, "the page can't be moved");
    }
  }

  PlacementSystem& system_;
  const Pages pages_;
  const Topology& topology_;
  const std::vector<int> nodes_;
  const bool dealt_;
  const Deal deal_;
  std::vector<int> places_;
  std::map<int, std::uint64_t> failed_;
  MigrationReport report_;
};

}  // namespace

Result<PlacementReport> report(PlacementSystem& system, std::byte* base, std::size_t bytes) {
  PlacementReport report;
  report.bytes = bytes;
  if (bytes == 0) return report;
  const Pages pages = Pages::covering(system, base, bytes);
  std::map<int, std::uint64_t> found;
  std::vector<int> places;
  GPUIO_TRY(pages.each_slice([&](std::size_t offset, std::span<void* const> slice) -> Status {
    places.assign(slice.size(), -ENOENT);
    if (const int error = system.query(slice, places); error != 0) return no_answer(error);
    for (std::size_t i = 0; i < slice.size(); ++i) {
      const std::byte* const page = pages.base + offset + i * pages.page_bytes;
      const std::uint64_t ours =
          static_cast<std::uint64_t>(std::min(base + bytes, pages.base + offset + (i + 1) * pages.page_bytes) -
                                     std::max<const std::byte*>(base, page));
      if (places[i] >= 0) {
        found[places[i]] += ours;
      } else if (places[i] == -ENOENT || places[i] == -EFAULT) {
        report.absent_bytes += ours;  // EFAULT: the page of zeros that reads of untouched memory see.
      } else {
        report.unknown_bytes += ours;
      }
    }
    return {};
  }));
  for (const auto& [node, there] : found) report.nodes.push_back({node, there});
  const std::optional<std::uint64_t> huge = system.huge_page_bytes(pages.base, pages.bytes);
  if (huge) report.huge_page_bytes = std::min<std::uint64_t>(*huge, bytes);
  return report;
}

Result<MigrationReport> migrate(PlacementSystem& system, std::byte* base, std::size_t bytes, const Placement& placement,
                                int nearest) {
  GPUIO_ASSIGN(const Topology topology, system.topology());
  Placement room = placement;  // Most of it may be there already, so room is checked below, for the rest.
  room.strict = false;
  GPUIO_TRY(check(placement.policy == PlacementPolicy::preferred ? placement : room, topology, bytes));
  const std::vector<int> nodes = nodes_of(placement, topology, nearest);
  if (nodes.empty()) {
    return Status(Code::invalid_argument, "the device has no nearest node: name one").with("policy", "local");
  }
  const Pages pages = Pages::covering(system, base, bytes);
  Migration migration(system, pages, placement, topology, nodes);
  if (placement.strict) {
    GPUIO_ASSIGN(const auto wanted, migration.wanted());
    for (const auto& [node, needed] : wanted) {
      const std::uint64_t available = topology.node(node)->available_bytes;
      if (needed > available) {
        return Status(Code::out_of_memory, "the node has no room for what would move there; nothing was moved")
            .with("node", std::to_string(node))
            .with("bytes", needed)
            .with("available_bytes", available);
      }
    }
  }
  GPUIO_TRY(apply(system, pages.base, pages.bytes, placement, nearest));
  return migration.run();
}

}  // namespace gpuio::core::placement
