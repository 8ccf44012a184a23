// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include "device/cuda/table.h"

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define GPUIO_HAS_NVTX 1
#else
#define GPUIO_HAS_NVTX 0
#endif

/// Inside the shared object: what the functions of the table have in common.
struct gpuio_cuda_device {
  int ordinal = 0;
  int multiprocessors = 0;
  // Functions of the driver; found at run time, so that the shared object loads where there is no driver.
  decltype(&cuStreamWaitValue32) wait_value = nullptr;
  decltype(&cuStreamWriteValue32) write_value = nullptr;
  decltype(&cuMemGetHandleForAddressRange) handle_for_range = nullptr;
  decltype(&cuDeviceGetAttribute) attribute = nullptr;
  decltype(&cuMemGetAddressRange) address_range = nullptr;
};

namespace gpuio::cuda {

/// One call into CUDA: makes the device current on this thread and, when it ends, puts back what was, because threads
/// of the caller's come by here. A profiler sees it as a range.
///
/// Another library may be capturing a stream in a mode in which CUDA forbids what it calls unsafe (allocations, event
/// queries) to all threads; what is done here concerns no stream of its, so it is allowed for this thread and this
/// call.
class Call {
 public:
  Call(const gpuio_cuda_device* device, [[maybe_unused]] const char* name) {
#if GPUIO_HAS_NVTX
    nvtxRangePushA(name);
#endif
    cudaThreadExchangeStreamCaptureMode(&mode_);
    code_ = cudaGetDevice(&previous_);
    if (code_ == cudaSuccess && previous_ != device->ordinal) code_ = cudaSetDevice(device->ordinal);
    changed_ = code_ == cudaSuccess && previous_ != device->ordinal;
  }
  ~Call() {
    if (changed_) cudaSetDevice(previous_);
    cudaThreadExchangeStreamCaptureMode(&mode_);
#if GPUIO_HAS_NVTX
    nvtxRangePop();
#endif
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /// Runs `function` unless the device could not be made current. A failure does not stay behind as the thread's last
  /// error, where other code would take it for its own.
  template <class Function>
  int operator()(const Function& function) {
    if (code_ == cudaSuccess) code_ = static_cast<cudaError_t>(function());
    if (code_ != cudaSuccess) (void)cudaGetLastError();
    return code_;
  }

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
  cudaError_t code_ = cudaSuccess;
  int previous_ = 0;
  bool changed_ = false;
};

inline cudaStream_t stream_of(void* handle) { return static_cast<cudaStream_t>(handle); }
inline cudaEvent_t event_of(void* handle) { return static_cast<cudaEvent_t>(handle); }

/// Each file of the shared object fills in its part of the table.
void add_device_functions(gpuio_cuda_table& table);
void add_memory_functions(gpuio_cuda_table& table);
void add_share_functions(gpuio_cuda_table& table);
void add_stream_functions(gpuio_cuda_table& table);

}  // namespace gpuio::cuda
