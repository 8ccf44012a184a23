// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/measurement.h"

/// What is measured on any machine; each stands in a file of its name.
namespace gpuio::bench {

void seq_direct(const Options& options, Samples& samples);
void rand_direct(const Options& options, Samples& samples);
void hot_host(const Options& options, Samples& samples);
void small_hot(const Options& options, Samples& samples);
void one_small(const Options& options, Samples& samples);
void submit(const Options& options, Samples& samples);
void priority(const Options& options, Samples& samples);
void startup(const Options& options, Samples& samples);
void view_loops(const Options& options, Samples& samples);
void atomic_words(const Options& options, Samples& samples);

}  // namespace gpuio::bench
