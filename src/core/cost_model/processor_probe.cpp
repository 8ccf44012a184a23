// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

#include "base/units.h"
#include "core/copy/host_copy.h"
#include "core/cost_model/memory_probe.h"
#include "core/executor/thread.h"
#include "core/placement/numa.h"

namespace gpuio::core {
namespace {

constexpr std::array<std::uint64_t, 9> kCopyBytes{256 * base::kKiB, 512 * base::kKiB, 1 * base::kMiB,
                                                  2 * base::kMiB,   4 * base::kMiB,   8 * base::kMiB,
                                                  16 * base::kMiB,  32 * base::kMiB,  64 * base::kMiB};

/// The median of hand-overs to a pool that has fallen asleep since the last one.
Result<double> hand_over_ns(const Session& session) {
  const std::size_t rounds = session.quick ? 15 : 101;
  constexpr std::chrono::microseconds kUntilAsleep{300};
  GPUIO_ASSIGN(const Crew crew, Crew::start(usable_cores(), -1));
  std::vector<std::uint64_t> times(rounds);
  for (std::uint64_t& time : times) {
    GPUIO_TRY(session.check());
    std::this_thread::sleep_for(kUntilAsleep);
    time = crew.hand_over(session.clock);
  }
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(rounds / 2);
  std::ranges::nth_element(times, middle);
  return static_cast<double>(*middle);
}

/// Of the same bytes again and again: who copies past the caches is to lose nothing even where memory lies in them.
template <class Copy>
Result<double> rate_of_copies(const Session& session, const HostPages& pages, std::uint64_t bytes, Copy copy) {
  constexpr std::uint64_t kPassBytes = 16 * base::kMiB;
  const std::uint64_t copies = std::max<std::uint64_t>(kPassBytes / bytes, 1);
  std::byte* const to = pages.base() + pages.size() / 2;
  return Meter(session).best_rate_of(static_cast<double>(copies * bytes), [&] {
    for (std::uint64_t i = 0; i < copies; ++i) copy(to, pages.base(), bytes);
    return Status();
  });
}

Result<std::vector<StreamingRate>> streaming_rates(const Session& session) {
  const std::size_t sizes = session.quick ? kCopyBytes.size() - 2 : kCopyBytes.size();
  GPUIO_ASSIGN(const HostPages pages, HostPages::map(2 * kCopyBytes[sizes - 1], numa::nearest(-1)));
  const auto copy = [](std::byte* to, const std::byte* from, std::size_t bytes) { std::memcpy(to, from, bytes); };
  const auto stream = [](std::byte* to, const std::byte* from, std::size_t bytes) {
    host_copy_part(to, from, bytes, std::numeric_limits<std::size_t>::max());
  };
  std::vector<StreamingRate> rates;
  for (std::size_t i = 0; i < sizes; ++i) {
    StreamingRate& rate = rates.emplace_back();
    rate.bytes = kCopyBytes[i];
    GPUIO_ASSIGN(rate.cached_bytes_per_second, rate_of_copies(session, pages, rate.bytes, copy));
    if (streaming_copies().empty()) continue;
    GPUIO_ASSIGN(rate.streamed_bytes_per_second, rate_of_copies(session, pages, rate.bytes, stream));
  }
  return rates;
}

}  // namespace

Result<ProcessorCost> measure_processor(const Session& session) {
  ProcessorCost cost;
  GPUIO_ASSIGN(cost.hand_over_ns, hand_over_ns(session));
  GPUIO_ASSIGN(cost.streaming, streaming_rates(session));
  return cost;
}

}  // namespace gpuio::core
