// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>

#include "core/spi/kernels.h"
#include "device/cuda/kernels.h"
#include "device/cuda/runtime.h"

namespace gpuio::cuda {
namespace {

gpuio_cuda_failure failure(int code) {
  switch (static_cast<cudaError_t>(code)) {
    case cudaErrorInvalidValue:
    case cudaErrorInvalidDevice:
    case cudaErrorInvalidResourceHandle:
    case cudaErrorIllegalState:
    case cudaErrorCapturedEvent:
    case cudaErrorStreamCaptureUnsupported:
    case cudaErrorStreamCaptureInvalidated:
    case cudaErrorStreamCaptureMerge:
    case cudaErrorStreamCaptureUnmatched:
    case cudaErrorStreamCaptureUnjoined:
    case cudaErrorStreamCaptureIsolation:
    case cudaErrorStreamCaptureImplicit:
    case cudaErrorStreamCaptureWrongThread:
      return GPUIO_CUDA_INVALID;
    case cudaErrorMemoryAllocation:
      return GPUIO_CUDA_OUT_OF_MEMORY;
    case cudaErrorNotSupported:
    case cudaErrorNotPermitted:
    case cudaErrorNoKernelImageForDevice:
      return GPUIO_CUDA_UNSUPPORTED;
    case cudaErrorHostMemoryAlreadyRegistered:
      return GPUIO_CUDA_ALREADY_REGISTERED;
    case cudaErrorHostMemoryNotRegistered:
      return GPUIO_CUDA_NOT_REGISTERED;
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorDevicesUnavailable:
    case cudaErrorContextIsDestroyed:
      return GPUIO_CUDA_DEVICE_LOST;
    case cudaErrorInsufficientDriver:
    case cudaErrorInitializationError:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
      return GPUIO_CUDA_NO_DRIVER;
    case cudaErrorNoDevice:
      return GPUIO_CUDA_NO_DEVICE;
    default:
      return GPUIO_CUDA_OTHER;
  }
}

const char* error_name(int code) { return cudaGetErrorName(static_cast<cudaError_t>(code)); }
const char* error_text(int code) { return cudaGetErrorString(static_cast<cudaError_t>(code)); }

int device_count(int* count) {
  const cudaError_t code = cudaGetDeviceCount(count);
  if (code != cudaSuccess) (void)cudaGetLastError();
  return code;
}

/// Leaves `function` null where the driver has none: the abilities say so then.
template <class Function>
void find_driver_function(const char* name, unsigned version, Function& function) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result{};
  const cudaError_t code = cudaGetDriverEntryPointByVersion(name, &found, version, cudaEnableDefault, &result);
  if (code != cudaSuccess) (void)cudaGetLastError();
  if (code == cudaSuccess && result == cudaDriverEntryPointSuccess) function = reinterpret_cast<Function>(found);
}

int open(int ordinal, gpuio_cuda_device** device) {
  auto opened = std::make_unique<gpuio_cuda_device>();
  opened->ordinal = ordinal;
  Call call(opened.get(), "gpuio.open");
  const int code = call([&] {
    // Makes the primary context now rather than in the first request.
    const cudaError_t ready = cudaInitDevice(ordinal, 0, 0);
    return ready == cudaSuccess ? cudaSetDevice(ordinal) : ready;
  });
  if (code != cudaSuccess) return code;
  constexpr unsigned kFunctionsOf = 12000;
  find_driver_function("cuStreamWaitValue32", kFunctionsOf, opened->wait_value);
  find_driver_function("cuStreamWriteValue32", kFunctionsOf, opened->write_value);
  find_driver_function("cuMemGetHandleForAddressRange", kFunctionsOf, opened->handle_for_range);
  find_driver_function("cuDeviceGetAttribute", kFunctionsOf, opened->attribute);
  const int loaded = call([&] {
    const cudaError_t counted =
        cudaDeviceGetAttribute(&opened->multiprocessors, cudaDevAttrMultiProcessorCount, ordinal);
    return counted == cudaSuccess ? load_kernels() : counted;
  });
  if (loaded == cudaSuccess) *device = opened.release();
  return loaded;
}

void close(gpuio_cuda_device* device) {
  // The primary context stays: it is shared with everybody in the process.
  const std::unique_ptr<gpuio_cuda_device> gone(device);
}

bool has(const gpuio_cuda_device* device, cudaDeviceAttr attribute) {
  int answer = 0;
  return cudaDeviceGetAttribute(&answer, attribute, device->ordinal) == cudaSuccess && answer != 0;
}

bool exports_dmabuf(const gpuio_cuda_device* device) {
  int answer = 0;
  return device->handle_for_range != nullptr && device->attribute != nullptr &&
         device->attribute(&answer, CU_DEVICE_ATTRIBUTE_DMA_BUF_SUPPORTED, device->ordinal) == CUDA_SUCCESS &&
         answer != 0;
}

int info(gpuio_cuda_device* device, gpuio_cuda_info* info) {
  Call call(device, "gpuio.info");
  return call([&] {
    cudaDeviceProp properties{};
    cudaError_t code = cudaGetDeviceProperties(&properties, device->ordinal);
    if (code != cudaSuccess) return code;
    std::copy_n(properties.name, sizeof(info->model) - 1, info->model);
    info->memory_bytes = properties.totalGlobalMem;
    code = cudaDeviceGetPCIBusId(info->bus_id, sizeof(info->bus_id), device->ordinal);
    if (code != cudaSuccess) return code;
    int node = -1;
    if (cudaDeviceGetAttribute(&node, cudaDevAttrHostNumaId, device->ordinal) != cudaSuccess) node = -1;
    info->host_numa_node = node;
    info->can_register_read_only = has(device, cudaDevAttrHostRegisterReadOnlySupported);
    info->can_map_managed = has(device, cudaDevAttrConcurrentManagedAccess);
    info->can_wait_word = device->wait_value != nullptr && device->write_value != nullptr;
    info->can_export_dmabuf = exports_dmabuf(device);
    info->has_trace_ranges = GPUIO_HAS_NVTX;
    info->has_host_atomics = has(device, cudaDevAttrHostNativeAtomicSupported);
    (void)cudaGetLastError();
    return cudaDriverGetVersion(&info->driver_version);
  });
}

int connect(gpuio_cuda_device* device, int peer_ordinal) {
  const gpuio_cuda_device peer{.ordinal = peer_ordinal};
  const auto enable = [](const gpuio_cuda_device* from, int to) {
    Call call(from, "gpuio.connect");
    return call([&] {
      int possible = 0;
      const cudaError_t asked = cudaDeviceCanAccessPeer(&possible, from->ordinal, to);
      if (asked != cudaSuccess || possible == 0) return asked;
      const cudaError_t code = cudaDeviceEnablePeerAccess(to, 0);
      if (code == cudaErrorPeerAccessAlreadyEnabled) (void)cudaGetLastError();
      return code == cudaErrorPeerAccessAlreadyEnabled ? cudaSuccess : code;
    });
  };
  const int code = enable(device, peer_ordinal);
  return code != cudaSuccess ? code : enable(&peer, device->ordinal);
}

gpuio_cuda_table make_table() {
  gpuio_cuda_table table{};
  table.size = sizeof(table);
  table.build_id = GPUIO_CUDA_BUILD_ID;
  table.layout_hash = spi::kLayoutHash;
  add_device_functions(table);
  add_memory_functions(table);
  add_stream_functions(table);
  return table;
}

}  // namespace

void add_device_functions(gpuio_cuda_table& table) {
  table.error_name = error_name;
  table.error_text = error_text;
  table.failure = failure;
  table.device_count = device_count;
  table.open = open;
  table.close = close;
  table.info = info;
  table.connect = connect;
}

}  // namespace gpuio::cuda

extern "C" __attribute__((visibility("default"))) const gpuio_cuda_table* gpuio_cuda_get_table() {
  static const gpuio_cuda_table table = gpuio::cuda::make_table();
  return &table;
}
