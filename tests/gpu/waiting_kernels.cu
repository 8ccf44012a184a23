// SPDX-License-Identifier: Apache-2.0
#include "waiting_kernels.h"

#include <cuda.h>
#include <cuda_runtime.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <thread>

namespace gpuio::tests {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kThreadsPerBlock = 256;
constexpr unsigned kBlocksPerMultiprocessor = 8;  // 2048 threads: all that any GPU from 8.0 on has, but for small ones
constexpr std::chrono::seconds kStartLimit{5};

void check(cudaError_t code, const char* doing) {
  if (code == cudaSuccess) return;
  throw std::runtime_error(std::string(doing) + ": " + cudaGetErrorName(code) + ", " + cudaGetErrorString(code));
}

/// In pinned memory: kernels count here, the host looks.
struct Counts {
  std::uint32_t begun;
  std::uint32_t gave_up;
};

std::uint32_t load(std::uint32_t& counter) {
  return std::atomic_ref<std::uint32_t>(counter).load(std::memory_order_acquire);
}

__device__ bool arrives(const std::byte* byte, std::int64_t deadline) {
  const auto* watched = reinterpret_cast<const volatile unsigned char*>(byte);
  while (*watched == 0) {
    if (clock64() > deadline) return false;
    __nanosleep(200);
  }
  return true;
}

struct Wait {
  const std::byte* const* awaited;
  std::uint32_t count;
  std::int64_t patience_cycles;
  std::uint32_t* served;  ///< Blocks whose bytes have all come, in device memory.
  Counts* counts;
};

__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksPerMultiprocessor)
    wait_for_bytes(const __grid_constant__ Wait wait) {
  if (threadIdx.x == 0) {
    const std::int64_t deadline = clock64() + wait.patience_cycles;
    atomicAdd_system(&wait.counts->begun, 1U);
    bool all = true;
    // A short list is shared by all blocks, a long one dealt to them.
    for (std::uint32_t i = blockIdx.x % wait.count; i < wait.count && all; i += gridDim.x) {
      all = arrives(wait.awaited[i], deadline);
    }
    // None makes room before the last byte has come.
    if (all) atomicAdd(wait.served, 1U);
    const volatile std::uint32_t* served = wait.served;
    while (all && *served < gridDim.x) {
      all = clock64() <= deadline;
      __nanosleep(1000);
    }
    if (!all) atomicAdd_system(&wait.counts->gave_up, 1U);
  }
  // The other threads keep their places meanwhile.
  __syncthreads();
}

__global__ void end_at_once() {}

int attribute(cudaDeviceAttr which) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, 0), "asking for an attribute");
  return value;
}

cudaStream_t new_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
  return stream;
}

/// Ends: not later than `limit` says.
bool ended(cudaStream_t stream, Clock::duration limit) {
  const auto deadline = Clock::now() + limit;
  for (;;) {
    const cudaError_t code = cudaStreamQuery(stream);
    if (code == cudaSuccess) return true;
    if (code != cudaErrorNotReady) check(code, "running kernels");
    (void)cudaGetLastError();
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

}  // namespace

struct WaitingKernels::State {
  std::chrono::seconds patience{};
  std::int64_t patience_cycles = 0;
  unsigned blocks = 0;
  std::size_t awaited_max = 0;
  const std::byte** awaited = nullptr;
  std::uint32_t* served = nullptr;
  Counts* counts = nullptr;
  cudaStream_t stream = nullptr;
  cudaStream_t other_stream = nullptr;
};

WaitingKernels::WaitingKernels(std::size_t awaited_max, std::chrono::seconds patience)
    : state_(std::make_unique<State>()) {
  State& state = *state_;
  check(cudaSetDevice(0), "making GPU 0 current");
  int per_multiprocessor = 0;
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&per_multiprocessor, wait_for_bytes, kThreadsPerBlock, 0),
        "asking for the occupancy");
  if (per_multiprocessor * static_cast<int>(kThreadsPerBlock) != attribute(cudaDevAttrMaxThreadsPerMultiProcessor)) {
    throw std::runtime_error("the waiting kernels do not take every thread of a multiprocessor");
  }
  cudaFuncAttributes loaded{};
  check(cudaFuncGetAttributes(&loaded, end_at_once), "loading a kernel");
  state.patience = patience;
  state.patience_cycles = std::int64_t{1000} * attribute(cudaDevAttrClockRate) * patience.count();
  state.blocks = static_cast<unsigned>(per_multiprocessor * attribute(cudaDevAttrMultiProcessorCount));
  state.awaited_max = awaited_max;
  check(cudaMalloc(&state.awaited, awaited_max * sizeof(*state.awaited)), "allocating");
  check(cudaMalloc(&state.served, sizeof(*state.served)), "allocating");
  check(cudaHostAlloc(&state.counts, sizeof(Counts), cudaHostAllocMapped), "allocating pinned memory");
  state.stream = new_stream();
  state.other_stream = new_stream();
}

WaitingKernels::~WaitingKernels() {
  (void)cudaStreamSynchronize(state_->stream);  // they give up in the end
  (void)cudaStreamDestroy(state_->stream);
  (void)cudaStreamDestroy(state_->other_stream);
  (void)cudaFreeHost(state_->counts);
  (void)cudaFree(state_->served);
  (void)cudaFree(state_->awaited);
}

void WaitingKernels::start(std::span<const std::byte* const> awaited) {
  State& state = *state_;
  if (awaited.empty() || awaited.size() > state.awaited_max) throw std::runtime_error("too few or too many bytes");
  *state.counts = {};
  check(cudaMemcpyAsync(state.awaited, awaited.data(), awaited.size_bytes(), cudaMemcpyHostToDevice, state.stream),
        "copying the list of bytes");
  check(cudaMemsetAsync(state.served, 0, sizeof(*state.served), state.stream), "clearing memory");
  const Wait wait{state.awaited, static_cast<std::uint32_t>(awaited.size()), state.patience_cycles, state.served,
                  state.counts};
  wait_for_bytes<<<state.blocks, kThreadsPerBlock, 0, state.stream>>>(wait);
  check(cudaGetLastError(), "launching the waiting kernels");
  const auto deadline = Clock::now() + kStartLimit;
  while (load(state.counts->begun) < state.blocks) {
    if (Clock::now() > deadline) throw std::runtime_error("not all blocks run at once: is something else on the GPU?");
    std::this_thread::yield();
  }
}

bool WaitingKernels::leave_room() {
  end_at_once<<<1, 1, 0, state_->other_stream>>>();
  check(cudaGetLastError(), "launching one kernel more");
  return ended(state_->other_stream, std::chrono::milliseconds(100));
}

std::string WaitingKernels::finish() {
  State& state = *state_;
  if (!ended(state.stream, state.patience + std::chrono::seconds(10))) return "the kernels have not ended";
  if (!ended(state.other_stream, std::chrono::seconds(10))) return "a kernel behind them has not ended";
  const std::uint32_t gave_up = load(state.counts->gave_up);
  if (gave_up == 0) return {};
  return std::to_string(gave_up) + " of " + std::to_string(state.blocks) + " blocks waited for bytes that did not come";
}

struct StreamPlug::State {
  decltype(&cuStreamWaitValue32) wait_value = nullptr;
  std::uint32_t* word = nullptr;
};

StreamPlug::StreamPlug() : state_(std::make_unique<State>()) {
  check(cudaSetDevice(0), "making GPU 0 current");
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result{};
  check(cudaGetDriverEntryPointByVersion("cuStreamWaitValue32", &found, 12000, cudaEnableDefault, &result),
        "looking for cuStreamWaitValue32");
  if (found == nullptr) throw std::runtime_error("the driver has no cuStreamWaitValue32");
  state_->wait_value = reinterpret_cast<decltype(&cuStreamWaitValue32)>(found);
  check(cudaHostAlloc(&state_->word, sizeof(std::uint32_t), cudaHostAllocMapped), "allocating pinned memory");
  *state_->word = 0;
}

StreamPlug::~StreamPlug() {
  pull();
  (void)cudaFreeHost(state_->word);  // after the streams have seen it: this waits for them
}

void StreamPlug::hold(void* stream) {
  const CUresult code = state_->wait_value(static_cast<CUstream>(stream), reinterpret_cast<CUdeviceptr>(state_->word),
                                           1, CU_STREAM_WAIT_VALUE_GEQ);
  if (code != CUDA_SUCCESS) throw std::runtime_error("holding a stream failed");
}

void StreamPlug::pull() { std::atomic_ref<std::uint32_t>(*state_->word).store(1, std::memory_order_release); }

Witnesses::Witnesses(std::size_t count) {
  check(cudaSetDevice(0), "making GPU 0 current");
  check(cudaHostAlloc(&bytes_, count, cudaHostAllocDefault), "allocating pinned memory");
}

Witnesses::~Witnesses() { (void)cudaFreeHost(bytes_); }

void Witnesses::look(void* stream, std::size_t index, const std::byte* device) {
  bytes_[index] = std::byte{0};
  check(cudaMemcpyAsync(bytes_ + index, device, 1, cudaMemcpyDeviceToHost, static_cast<cudaStream_t>(stream)),
        "queueing a copy");
}

void clear(std::byte* device, std::size_t bytes) {
  check(cudaMemset(device, 0, bytes), "clearing memory");
  check(cudaDeviceSynchronize(), "clearing memory");
}

void upload(std::byte* device, std::span<const std::byte> host) {
  check(cudaMemcpy(device, host.data(), host.size(), cudaMemcpyHostToDevice), "copying to the device");
}

void download(std::span<std::byte> host, const std::byte* device) {
  check(cudaMemcpy(host.data(), device, host.size(), cudaMemcpyDeviceToHost), "copying from the device");
}

}  // namespace gpuio::tests
