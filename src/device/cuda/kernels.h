// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

/// What assembly's cuda_kernels.cu gives to this room, inside the shared object: kernels by id.
namespace gpuio::cuda {

/// Loads every kernel onto the current device, so that no launch loads a module later: that would synchronise, and a
/// kernel may be waiting for the launch.
cudaError_t load_kernels();

/// Launches on the current device; `multiprocessors` is how many it has. cudaErrorInvalidValue for an unknown id.
cudaError_t launch_kernel(std::uint32_t kernel, const void* arguments, int multiprocessors, cudaStream_t stream);

}  // namespace gpuio::cuda
