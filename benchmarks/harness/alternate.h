// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/samples.h"

namespace gpuio::bench {

/// One of those that are compared. `run` does one sample; those of one pair get the same number.
struct Contender {
  std::string name;
  std::function<Sample(unsigned pair)> run;
};

/// Runs all contenders in turn, then in reverse: A B B A for two. So a round gives two pairs, and drift of the machine
/// falls on all alike. The first sample of each warms it up and is not kept.
void alternate(Samples& samples, const std::vector<Contender>& contenders, unsigned rounds);

/// Tries each of `forms` twice and returns the one with the highest rate: a peer is compared at its best. Those that
/// fail (an exception of std) are left out with a line on stderr; at least one must work.
Contender best_of(Samples& samples, const std::vector<Contender>& forms);

/// Bytes, or where none are counted operations, per second.
double rate(const Sample& sample);

}  // namespace gpuio::bench
