// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/measurement.h"

/// What is measured where there is a GPU; each stands in a file of its name.
namespace gpuio::bench {

void load_hot(const Options& options, Samples& samples);
void load_again(const Options& options, Samples& samples);
void load_safetensors(const Options& options, Samples& samples);
void load_pagecache(const Options& options, Samples& samples);
void load_cold(const Options& options, Samples& samples);
void store_hot(const Options& options, Samples& samples);
void load_random(const Options& options, Samples& samples);
void mem_gpu_copy(const Options& options, Samples& samples);
void mem_gpu_rows(const Options& options, Samples& samples);
void mem_gpu_migration(const Options& options, Samples& samples);
void mem_gpu_register(const Options& options, Samples& samples);
void mem_gpu_atomic(const Options& options, Samples& samples);

}  // namespace gpuio::bench
