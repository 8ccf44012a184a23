// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "device/cuda/table.h"
#include "gpuio/result.hpp"

namespace gpuio::cuda {

/// Where the library looks for `libgpuio_cuda.so`.
struct LoadOptions {
  std::string library;  ///< A path; empty: beside this code, in ../lib of it, then as the system's loader does.
  std::string driver_library =
      "libcuda.so.1";  ///< Its absence is the commonest reason of all and deserves its own words.
};

/// Loads the shared object and checks that it is of this very build. Fails with `unsupported` and the reason: no
/// driver, no shared object (with the places looked at), no table in it, another size, build or layout. Once loaded it
/// stays.
[[nodiscard]] Result<const gpuio_cuda_table*> load_table(const LoadOptions& options);

}  // namespace gpuio::cuda
