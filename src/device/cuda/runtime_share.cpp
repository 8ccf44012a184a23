// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstring>

#include "device/cuda/runtime.h"

namespace gpuio::cuda {
namespace {

int export_handle(gpuio_cuda_device* device, void* memory, void* handle, std::uint64_t* offset) {
  Call call(device, "gpuio.export_handle");
  return call([&] {
    if (device->address_range == nullptr) return static_cast<int>(cudaErrorNotSupported);
    // The handle is the allocation's, whoever made it: a tensor of another library may lie in the middle of one.
    CUdeviceptr base = 0;
    std::size_t bytes = 0;
    const auto address = reinterpret_cast<CUdeviceptr>(memory);
    if (const CUresult found = device->address_range(&base, &bytes, address); found != CUDA_SUCCESS) {
      return static_cast<int>(found);
    }
    cudaIpcMemHandle_t made{};
    const cudaError_t code = cudaIpcGetMemHandle(&made, reinterpret_cast<void*>(base));
    if (code != cudaSuccess) return static_cast<int>(code);
    std::memcpy(handle, &made, sizeof made);
    *offset = address - base;
    return static_cast<int>(cudaSuccess);
  });
}

int import_handle(gpuio_cuda_device* device, const void* handle, void** base) {
  Call call(device, "gpuio.import_handle");
  return call([&] {
    cudaIpcMemHandle_t given{};
    std::memcpy(&given, handle, sizeof given);
    return cudaIpcOpenMemHandle(base, given, cudaIpcMemLazyEnablePeerAccess);
  });
}

int close_imported(gpuio_cuda_device* device, void* base) {
  Call call(device, "gpuio.close_imported");
  return call([&] { return cudaIpcCloseMemHandle(base); });
}

}  // namespace

void add_share_functions(gpuio_cuda_table& table) {
  static_assert(sizeof(cudaIpcMemHandle_t) == 64, "table.h says so");
  table.export_handle = export_handle;
  table.import_handle = import_handle;
  table.close_imported = close_imported;
}

}  // namespace gpuio::cuda
