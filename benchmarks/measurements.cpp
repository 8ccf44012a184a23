// SPDX-License-Identifier: Apache-2.0
// The list of all measurements. A new one is a file, and a line here.

#include <array>

#include "cpu/measurements.h"
#include "gpu/measurements.h"

namespace gpuio::bench {

std::span<const Measurement> measurements() {
  static constexpr std::array kAll{
      Measurement{"local.seq_direct", false, seq_direct},
      Measurement{"local.rand_direct", false, rand_direct},
      Measurement{"local.hot_host", false, hot_host},
      Measurement{"local.small_hot", false, small_hot},
      Measurement{"local.one_small", false, one_small},
      Measurement{"core.submit", false, submit},
      Measurement{"core.priority", false, priority},
      Measurement{"core.startup", false, startup},
      Measurement{"mem.startup", false, memory_startup},
      Measurement{"mem.copy", false, memory_copy},
      Measurement{"mem.rows", false, memory_rows},
      Measurement{"mem.view", false, view_loops},
      Measurement{"mem.atomic", false, atomic_words},
      Measurement{"mem.pool", false, pool},
      Measurement{"load.hot", true, load_hot},
      Measurement{"load.again", true, load_again},
      Measurement{"load.safetensors", true, load_safetensors},
      Measurement{"load.pagecache", true, load_pagecache},
      Measurement{"load.cold", true, load_cold},
      Measurement{"store.hot", true, store_hot},
      Measurement{"load.random_4k", true, load_random},
      Measurement{"mem.gpu.copy", true, mem_gpu_copy},
      Measurement{"mem.gpu.rows", true, mem_gpu_rows},
      Measurement{"mem.gpu.migration", true, mem_gpu_migration},
      Measurement{"mem.gpu.register", true, mem_gpu_register},
      Measurement{"mem.gpu.atomic", true, mem_gpu_atomic},
  };
  return kAll;
}

}  // namespace gpuio::bench
