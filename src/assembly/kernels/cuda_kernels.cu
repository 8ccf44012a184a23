// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/copy/segments.kernel.h"
#include "core/launch/rows.kernel.h"
#include "core/view/atomics.kernel.h"
#include "device/cuda/kernels.h"

// Every kernel of spi::KernelId, instantiated for CUDA. Compiled into the device's shared object.
namespace gpuio::cuda {
namespace {

using dev::WarpPolicy;

constexpr unsigned kThreadsPerBlock = 256;
constexpr std::uint64_t kWarpsPerBlock = kThreadsPerBlock / WarpPolicy::kLanes;
// 24 warps on every multiprocessor; one block more would leave the bodies too few registers.
constexpr unsigned kBlocksPerMultiprocessor = 3;
// 8 warps with some rows each keep more bytes in flight than a link needs (16 blocks of 1024 threads saturate it). More
// only queue, and cost a tenth of the rate of short rows and of scatters where the link is quick.
constexpr unsigned kBlocksPerMultiprocessorBehindLink = 1;

__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksPerMultiprocessor)
    gather_rows(const __grid_constant__ spi::RowsArguments rows) {
  core::move_rows<core::RowDirection::gather>(WarpPolicy{}, rows);
}

__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksPerMultiprocessor)
    scatter_rows(const __grid_constant__ spi::RowsArguments rows) {
  core::move_rows<core::RowDirection::scatter>(WarpPolicy{}, rows);
}

__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksPerMultiprocessor)
    move_segments(const __grid_constant__ spi::SegmentsArguments list) {
  core::move_segments(WarpPolicy{}, list);
}

__global__ void __launch_bounds__(kThreadsPerBlock) update_words(const __grid_constant__ spi::WordsArguments list) {
  core::update_words(WarpPolicy{}, list);
}

struct Kernel {
  const void* function;
  /// How many warps a launch can use.
  std::uint64_t (*warps)(const void* arguments);
  unsigned (*blocks_per_multiprocessor)(const void* arguments);
};

unsigned any_blocks(const void*) { return kBlocksPerMultiprocessor; }

unsigned rows_blocks(const void* arguments) {
  const bool behind_link = static_cast<const spi::RowsArguments*>(arguments)->behind_link != 0;
  return behind_link ? kBlocksPerMultiprocessorBehindLink : kBlocksPerMultiprocessor;
}

std::uint64_t rows_warps(const void* arguments) {
  const auto& rows = *static_cast<const spi::RowsArguments*>(arguments);
  const std::uint64_t together = core::rows_per_warp(rows, WarpPolicy::kLanes);
  return (rows.count + together - 1) / together;
}

/// The host does not know how long segments are, and a short list of long ones uses any number of warps.
std::uint64_t segments_warps(const void* arguments) {
  return static_cast<const spi::SegmentsArguments*>(arguments)->count == 0 ? 0 : UINT64_MAX - kWarpsPerBlock;
}

std::uint64_t words_warps(const void* arguments) {
  return (static_cast<const spi::WordsArguments*>(arguments)->count + WarpPolicy::kLanes - 1) / WarpPolicy::kLanes;
}

const Kernel* find(std::uint32_t kernel) {
  static const Kernel gather{reinterpret_cast<const void*>(&gather_rows), rows_warps, rows_blocks};
  static const Kernel scatter{reinterpret_cast<const void*>(&scatter_rows), rows_warps, rows_blocks};
  static const Kernel segments{reinterpret_cast<const void*>(&move_segments), segments_warps, any_blocks};
  static const Kernel words{reinterpret_cast<const void*>(&update_words), words_warps, any_blocks};
  switch (static_cast<spi::KernelId>(kernel)) {
    case spi::KernelId::gather_rows:
      return &gather;
    case spi::KernelId::scatter_rows:
      return &scatter;
    case spi::KernelId::move_segments:
      return &segments;
    case spi::KernelId::update_words:
      return &words;
    case spi::KernelId::count:
      break;
  }
  return nullptr;
}

}  // namespace

cudaError_t load_kernels() {
  for (std::uint32_t id = 0; id < static_cast<std::uint32_t>(spi::KernelId::count); ++id) {
    // Asking for a kernel's attributes is what loads it under the driver's lazy loading.
    cudaFuncAttributes attributes;
    const cudaError_t code = cudaFuncGetAttributes(&attributes, find(id)->function);
    if (code != cudaSuccess) return code;
  }
  return cudaSuccess;
}

cudaError_t launch_kernel(std::uint32_t kernel, const void* arguments, int multiprocessors, cudaStream_t stream) {
  const Kernel* found = find(kernel);
  if (found == nullptr) return cudaErrorInvalidValue;
  const std::uint64_t wanted = (found->warps(arguments) + kWarpsPerBlock - 1) / kWarpsPerBlock;
  if (wanted == 0) return cudaSuccess;
  const std::uint64_t most = static_cast<std::uint64_t>(multiprocessors) * found->blocks_per_multiprocessor(arguments);
  void* parameters[] = {const_cast<void*>(arguments)};
  return cudaLaunchKernel(found->function, dim3(static_cast<unsigned>(std::min(wanted, most))), dim3(kThreadsPerBlock),
                          parameters, 0, stream);
}

}  // namespace gpuio::cuda
