// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cassert>
#include <cstdint>

namespace gpuio::base {

/// xoshiro256** by Blackman and Vigna: the same numbers from the same seed on every machine, so that a simulated run
/// can be replayed. Not for secrets. Thread safety: none; each owner has its own.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) word = split_mix(seed);
  }

  std::uint64_t next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// In [0, bound), each equally likely; `bound` is not 0.
  std::uint64_t uniform(std::uint64_t bound) noexcept {
    assert(bound != 0);
    // Numbers below 2^64 mod bound would make the small remainders likelier.
    const std::uint64_t reject_below = (0 - bound) % bound;
    std::uint64_t number = next();
    while (number < reject_below) number = next();
    return number % bound;
  }

  /// In [0, 1).
  double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  /// True with probability `p`: never for 0, always for 1.
  bool chance(double p) noexcept { return unit() < p; }

  /// An independent generator: what it draws does not shift what this one draws later.
  Random fork() noexcept { return Random(next()); }

 private:
  static std::uint64_t split_mix(std::uint64_t& state) noexcept {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t word = state;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    return word ^ (word >> 31);
  }

  std::array<std::uint64_t, 4> state_;
};

}  // namespace gpuio::base
