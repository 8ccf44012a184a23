// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "device/cuda/runtime.h"

namespace gpuio::cuda {
namespace {

int memory_use(gpuio_cuda_device* device, std::uint64_t* free_bytes, std::uint64_t* total_bytes) {
  Call call(device, "gpuio.memory_use");
  return call([&] {
    std::size_t free_now = 0;
    std::size_t total = 0;
    const cudaError_t code = cudaMemGetInfo(&free_now, &total);
    *free_bytes = free_now;
    *total_bytes = total;
    return code;
  });
}

int allocate(gpuio_cuda_device* device, std::size_t bytes, void** memory) {
  Call call(device, "gpuio.allocate");
  return call([&] { return cudaMalloc(memory, bytes); });
}

int allocate_mapped(gpuio_cuda_device* device, std::size_t bytes, int numa_node, void** memory) {
  Call call(device, "gpuio.allocate_mapped");
  return call([&] {
    cudaError_t code = cudaMallocManaged(memory, bytes, cudaMemAttachGlobal);
    if (code != cudaSuccess) return code;
    const cudaMemLocation host{numa_node < 0 ? cudaMemLocationTypeHost : cudaMemLocationTypeHostNuma,
                               numa_node < 0 ? 0 : numa_node};
    const cudaMemLocation self{cudaMemLocationTypeDevice, device->ordinal};
    code = cudaMemAdvise(*memory, bytes, cudaMemAdviseSetPreferredLocation, host);
    if (code == cudaSuccess) code = cudaMemAdvise(*memory, bytes, cudaMemAdviseSetAccessedBy, self);
    if (code != cudaSuccess) (void)cudaFree(*memory);
    return code;
  });
}

int free_memory(gpuio_cuda_device* device, void* memory) {
  Call call(device, "gpuio.free");
  return call([&] { return cudaFree(memory); });
}

int register_host(gpuio_cuda_device* device, void* base, std::size_t bytes, int read_only) {
  Call call(device, "gpuio.register");
  constexpr unsigned kFlags = cudaHostRegisterPortable | cudaHostRegisterMapped;
  return call(
      [&] { return cudaHostRegister(base, bytes, read_only != 0 ? kFlags | cudaHostRegisterReadOnly : kFlags); });
}

int unregister_host(gpuio_cuda_device* device, void* base) {
  Call call(device, "gpuio.unregister");
  return call([&] { return cudaHostUnregister(base); });
}

int export_dmabuf(gpuio_cuda_device* device, void* base, std::size_t bytes, int* fd) {
  Call call(device, "gpuio.export_dmabuf");
  return call([&] {
    if (device->handle_for_range == nullptr) return static_cast<int>(cudaErrorNotSupported);
    return static_cast<int>(device->handle_for_range(fd, reinterpret_cast<CUdeviceptr>(base), bytes,
                                                     CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD, 0));
  });
}

}  // namespace

void add_memory_functions(gpuio_cuda_table& table) {
  table.memory_use = memory_use;
  table.allocate = allocate;
  table.allocate_mapped = allocate_mapped;
  table.free = free_memory;
  table.register_host = register_host;
  table.unregister_host = unregister_host;
  table.export_dmabuf = export_dmabuf;
}

}  // namespace gpuio::cuda
