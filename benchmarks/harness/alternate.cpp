// SPDX-License-Identifier: Apache-2.0
#include "harness/alternate.h"

#include <algorithm>
#include <iostream>
#include <ranges>
#include <stdexcept>

namespace gpuio::bench {

double rate(const Sample& sample) {
  return static_cast<double>(sample.bytes != 0 ? sample.bytes : sample.operations) / sample.seconds;
}

void alternate(Samples& samples, const std::vector<Contender>& contenders, unsigned rounds) {
  for (const Contender& contender : contenders) static_cast<void>(contender.run(0));
  for (unsigned round = 0; round < rounds; ++round) {
    const unsigned there = 2 * round;
    const unsigned back = there + 1;
    for (const Contender& one : contenders) samples.add(one.name, there, one.run(there));
    for (const Contender& one : std::views::reverse(contenders)) samples.add(one.name, back, one.run(back));
  }
}

Contender best_of(Samples& samples, const std::vector<Contender>& forms) {
  const Contender* best = nullptr;
  double best_rate = 0;
  for (const Contender& form : forms) {
    try {
      for (unsigned attempt = 0; attempt < 2; ++attempt) {
        const Sample sample = form.run(attempt);
        samples.add_trial(form.name, sample);
        if (rate(sample) <= best_rate) continue;
        best = &form;
        best_rate = rate(sample);
      }
    } catch (const std::exception& error) {
      std::cerr << form.name << ": " << error.what() << '\n';
    }
  }
  if (best == nullptr) throw std::runtime_error("none of the forms of " + forms.front().name + " works here");
  return *best;
}

}  // namespace gpuio::bench
