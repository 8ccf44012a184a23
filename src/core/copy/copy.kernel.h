// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gpuio/dev/exec.h"

/// How the lanes of one group copy bytes: what the kernels of this folder have in common.
namespace gpuio::core {

struct alignas(16) Unit16 {
  std::uint32_t words[4];
};

/// Copies `count` units that are aligned to their size. Each lane has `kInFlight` loads under way before it stores:
/// over PCIe one load takes a microsecond or two, so the number of loads in flight is the rate. The first `skew` lanes
/// sit out the first step, as if the range began so many units earlier: at the beginning of a cache line, say.
template <class Unit, class Policy>
GPUIO_KERNEL_BODY void copy_units(const Policy& policy, const std::byte* source, std::byte* destination,
                                  std::uint64_t count, unsigned skew = 0) {
  constexpr unsigned kInFlight = 4;
  const auto* from = reinterpret_cast<const Unit*>(source);
  auto* to = reinterpret_cast<Unit*>(destination);
  GPUIO_ONE_STEP_A_TURN
  for (std::uint64_t base = policy.lane(); base < count + skew; base += std::uint64_t{kInFlight} * Policy::kLanes) {
    Unit loaded[kInFlight] = {};
    // What lies before the range wraps around to far behind it.
    for (unsigned k = 0; k < kInFlight; ++k) {
      const std::uint64_t i = base + std::uint64_t{k} * Policy::kLanes - skew;
      if (i < count) loaded[k] = from[i];
    }
    for (unsigned k = 0; k < kInFlight; ++k) {
      const std::uint64_t i = base + std::uint64_t{k} * Policy::kLanes - skew;
      if (i < count) to[i] = loaded[k];
    }
  }
}

/// As copy_units of Unit16, for a source that is 1 to 3 bytes past a multiple of 4: loads the aligned words around it
/// and shifts. A word that holds one wanted byte lies in the same page as it, so nothing is touched that may not be.
template <class Policy>
GPUIO_KERNEL_BODY void copy_shifted(const Policy& policy, const std::byte* source, std::byte* destination,
                                    std::uint64_t count) {
  const unsigned skew = static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(source) % 4);
  const auto* from = reinterpret_cast<const std::uint32_t*>(source - skew);
  auto* to = reinterpret_cast<Unit16*>(destination);
  GPUIO_ONE_STEP_A_TURN
  for (std::uint64_t i = policy.lane(); i < count; i += Policy::kLanes) {
    std::uint32_t words[5];
    for (unsigned k = 0; k < 5; ++k) words[k] = from[i * 4 + k];
    Unit16 unit;
    for (unsigned k = 0; k < 4; ++k) {
      const std::uint64_t pair = std::uint64_t{words[k + 1]} << 32 | words[k];
      unit.words[k] = static_cast<std::uint32_t>(pair >> (skew * 8));
    }
    to[i] = unit;
  }
}

/// The largest of 16, 8, 4 and 1 that divides `bits`, an OR of addresses and lengths.
GPUIO_KERNEL_BODY unsigned common_unit(std::uint64_t bits) {
  if (bits % 16 == 0) return 16;
  if (bits % 8 == 0) return 8;
  return bits % 4 == 0 ? 4 : 1;
}

/// Copies bytes whose addresses and count are multiples of `unit` (from common_unit).
template <class Policy>
GPUIO_KERNEL_BODY void copy_in_units(const Policy& policy, unsigned unit, const std::byte* source,
                                     std::byte* destination, std::uint64_t bytes) {
  switch (unit) {
    case 16:
      return copy_units<Unit16>(policy, source, destination, bytes / 16);
    case 8:
      return copy_units<std::uint64_t>(policy, source, destination, bytes / 8);
    case 4:
      return copy_units<std::uint32_t>(policy, source, destination, bytes / 4);
    default:
      return copy_units<std::byte>(policy, source, destination, bytes);
  }
}

/// Copies any bytes from anywhere to anywhere: single bytes up to the destination's next multiple of 16, then the
/// widest loads that the source then allows, then single bytes.
template <class Policy>
GPUIO_KERNEL_BODY void copy_bytes(const Policy& policy, const std::byte* source, std::byte* destination,
                                  std::uint64_t bytes) {
  if constexpr (Policy::kLanes == 1) {
    std::memcpy(destination, source, bytes);
  } else {
    const std::uint64_t to_boundary = (16 - reinterpret_cast<std::uintptr_t>(destination) % 16) % 16;
    const std::uint64_t head = to_boundary < bytes ? to_boundary : bytes;
    const std::uint64_t middle = (bytes - head) / 16 * 16;
    copy_units<std::byte>(policy, source, destination, head);
    const unsigned unit = common_unit(reinterpret_cast<std::uintptr_t>(source + head));
    if (unit == 1) {
      copy_shifted(policy, source + head, destination + head, middle / 16);
    } else {
      copy_in_units(policy, unit, source + head, destination + head, middle);
    }
    copy_units<std::byte>(policy, source + head + middle, destination + head + middle, bytes - head - middle);
  }
}

}  // namespace gpuio::core
