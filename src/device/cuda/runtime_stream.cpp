// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "device/cuda/kernels.h"
#include "device/cuda/runtime.h"

namespace gpuio::cuda {
namespace {

// Below this a loop of single copies costs no more than preparing a batch.
constexpr std::size_t kBatchMin = 8;

int create_stream(gpuio_cuda_device* device, void** stream) {
  Call call(device, "gpuio.create_stream");
  return call(
      [&] { return cudaStreamCreateWithFlags(reinterpret_cast<cudaStream_t*>(stream), cudaStreamNonBlocking); });
}

int create_urgent_stream(gpuio_cuda_device* device, void** stream) {
  Call call(device, "gpuio.create_urgent_stream");
  return call([&] {
    int least = 0;
    int greatest = 0;
    const cudaError_t code = cudaDeviceGetStreamPriorityRange(&least, &greatest);
    if (code != cudaSuccess) return code;
    return cudaStreamCreateWithPriority(reinterpret_cast<cudaStream_t*>(stream), cudaStreamNonBlocking, greatest);
  });
}

int destroy_stream(gpuio_cuda_device* device, void* stream) {
  Call call(device, "gpuio.destroy_stream");
  return call([&] { return cudaStreamDestroy(stream_of(stream)); });
}

int synchronize(gpuio_cuda_device* device, void* stream) {
  Call call(device, "gpuio.synchronize");
  return call([&] { return cudaStreamSynchronize(stream_of(stream)); });
}

int capturing(gpuio_cuda_device* device, void* stream, int* answer) {
  Call call(device, "gpuio.capturing");
  return call([&] {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    const cudaError_t code = cudaStreamIsCapturing(stream_of(stream), &status);
    *answer = status != cudaStreamCaptureStatusNone;
    return code;
  });
}

void* default_stream() { return cudaStreamLegacy; }

int create_event(gpuio_cuda_device* device, void** event) {
  Call call(device, "gpuio.create_event");
  return call([&] { return cudaEventCreateWithFlags(reinterpret_cast<cudaEvent_t*>(event), cudaEventDisableTiming); });
}

int destroy_event(gpuio_cuda_device* device, void* event) {
  Call call(device, "gpuio.destroy_event");
  return call([&] { return cudaEventDestroy(event_of(event)); });
}

int record(gpuio_cuda_device* device, void* event, void* stream) {
  Call call(device, "gpuio.record");
  return call([&] { return cudaEventRecord(event_of(event), stream_of(stream)); });
}

int wait(gpuio_cuda_device* device, void* stream, void* event) {
  Call call(device, "gpuio.wait");
  return call([&] { return cudaStreamWaitEvent(stream_of(stream), event_of(event), 0); });
}

int finished(gpuio_cuda_device* device, void* event, int* answer) {
  Call call(device, "gpuio.finished");
  return call([&] {
    const cudaError_t code = cudaEventQuery(event_of(event));
    *answer = code == cudaSuccess;
    if (code == cudaErrorNotReady) (void)cudaGetLastError();
    return code == cudaErrorNotReady ? cudaSuccess : code;
  });
}

int synchronize_event(gpuio_cuda_device* device, void* event) {
  Call call(device, "gpuio.synchronize_event");
  return call([&] { return cudaEventSynchronize(event_of(event)); });
}

int begin_capture(gpuio_cuda_device* device, void* stream) {
  Call call(device, "gpuio.begin_capture");
  // Relaxed: other threads of this library allocate and query events meanwhile, and that is none of the capture's
  // business.
  return call([&] { return cudaStreamBeginCapture(stream_of(stream), cudaStreamCaptureModeRelaxed); });
}

int end_capture(gpuio_cuda_device* device, void* stream, void** graph) {
  Call call(device, "gpuio.end_capture");
  return call([&] {
    cudaGraph_t captured = nullptr;
    cudaError_t code = cudaStreamEndCapture(stream_of(stream), &captured);
    if (code != cudaSuccess) return code;
    code = cudaGraphInstantiate(reinterpret_cast<cudaGraphExec_t*>(graph), captured, 0);
    const cudaError_t destroyed = cudaGraphDestroy(captured);
    return code != cudaSuccess ? code : destroyed;
  });
}

int launch_graph(gpuio_cuda_device* device, void* graph, void* stream) {
  Call call(device, "gpuio.launch_graph");
  return call([&] { return cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(stream)); });
}

int destroy_graph(gpuio_cuda_device* device, void* graph) {
  Call call(device, "gpuio.destroy_graph");
  return call([&] { return cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)); });
}

/// False where the driver takes no batches, or not of these addresses or on this stream.
bool copy_batch(cudaStream_t stream, void** destinations, const void** sources, const std::size_t* bytes,
                std::size_t count) {
  cudaMemcpyAttributes attributes{};
  attributes.srcAccessOrder = cudaMemcpySrcAccessOrderStream;
  attributes.flags = cudaMemcpyFlagPreferOverlapWithCompute;  // by copy engines: kernels may have all of the SMs
  std::size_t first = 0;
  const cudaError_t code = cudaMemcpyBatchAsync(destinations, sources, bytes, count, &attributes, &first, 1, stream);
  if (code != cudaSuccess) (void)cudaGetLastError();
  return code == cudaSuccess;
}

int copy(gpuio_cuda_device* device, void* stream, void** destinations, const void** sources, const std::size_t* bytes,
         std::size_t count) {
  Call call(device, "gpuio.copy");
  return call([&] {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    cudaError_t code = cudaSuccess;
    // A graph takes single copies only; asking also keeps a refused batch from spoiling the capture.
    if (count >= kBatchMin) code = cudaStreamIsCapturing(stream_of(stream), &status);
    if (code != cudaSuccess) return code;
    if (count >= kBatchMin && status == cudaStreamCaptureStatusNone &&
        copy_batch(stream_of(stream), destinations, sources, bytes, count)) {
      return cudaSuccess;
    }
    for (std::size_t i = 0; i < count && code == cudaSuccess; ++i) {
      code = cudaMemcpyAsync(destinations[i], sources[i], bytes[i], cudaMemcpyDefault, stream_of(stream));
    }
    return code;
  });
}

int fill(gpuio_cuda_device* device, void* stream, void* memory, int value, std::size_t bytes) {
  Call call(device, "gpuio.fill");
  return call([&] { return cudaMemsetAsync(memory, value, bytes, stream_of(stream)); });
}

int wait_word(gpuio_cuda_device* device, void* stream, const std::uint32_t* word, std::uint32_t value) {
  Call call(device, "gpuio.wait_word");
  return call([&] {
    if (device->wait_value == nullptr) return static_cast<int>(cudaErrorNotSupported);
    // GEQ is the driver's name for cyclic order: (int32_t)(*word - value) >= 0.
    return static_cast<int>(
        device->wait_value(stream_of(stream), reinterpret_cast<CUdeviceptr>(word), value, CU_STREAM_WAIT_VALUE_GEQ));
  });
}

int write_word(gpuio_cuda_device* device, void* stream, std::uint32_t* word, std::uint32_t value) {
  Call call(device, "gpuio.write_word");
  return call([&] {
    if (device->write_value == nullptr) return static_cast<int>(cudaErrorNotSupported);
    return static_cast<int>(device->write_value(stream_of(stream), reinterpret_cast<CUdeviceptr>(word), value,
                                                CU_STREAM_WRITE_VALUE_DEFAULT));
  });
}

int launch(gpuio_cuda_device* device, void* stream, std::uint32_t kernel, const void* arguments) {
  Call call(device, "gpuio.launch");
  return call([&] { return launch_kernel(kernel, arguments, device->multiprocessors, stream_of(stream)); });
}

}  // namespace

void add_stream_functions(gpuio_cuda_table& table) {
  table.create_stream = create_stream;
  table.create_urgent_stream = create_urgent_stream;
  table.destroy_stream = destroy_stream;
  table.synchronize = synchronize;
  table.capturing = capturing;
  table.default_stream = default_stream;
  table.create_event = create_event;
  table.destroy_event = destroy_event;
  table.record = record;
  table.wait = wait;
  table.finished = finished;
  table.synchronize_event = synchronize_event;
  table.begin_capture = begin_capture;
  table.end_capture = end_capture;
  table.launch_graph = launch_graph;
  table.destroy_graph = destroy_graph;
  table.copy = copy;
  table.fill = fill;
  table.wait_word = wait_word;
  table.write_word = write_word;
  table.launch = launch;
}

}  // namespace gpuio::cuda
