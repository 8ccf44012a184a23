// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <ostream>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/sample.h"

namespace gpuio::bench {

/// Where a measurement's raw samples go: a JSON object a line. What follows from them is worked out by
/// benchmarks/record and nowhere else. Thread safety: none.
class Samples {
 public:
  explicit Samples(std::ostream& out) : out_(out) {}

  /// A sample of one of the contenders that took part in `pair`.
  void add(std::string_view series, unsigned pair, const Sample& sample);
  /// From looking for a contender's best form; kept, but it takes no part in any result.
  void add_trial(std::string_view series, const Sample& sample);
  /// Other figures than a Sample has: `add("gpuio", 3, {{"latency_us", 81.0}})`.
  void add(std::string_view series, unsigned pair, std::initializer_list<std::pair<std::string_view, double>> figures);
  /// Many of one figure from one sample.
  void add(std::string_view series, unsigned pair, std::string_view figure, const std::vector<double>& values);

 private:
  std::ostream& out_;
};

}  // namespace gpuio::bench
