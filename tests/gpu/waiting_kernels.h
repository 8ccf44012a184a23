// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

/// What tests do to GPU 0 beside the library, in the same process: kernels that wait, and streams that are held. No
/// CUDA header is needed to use it. Whatever CUDA refuses throws std::runtime_error.
namespace gpuio::tests {

/// Kernels that take every thread of every multiprocessor and wait until none of given bytes is zero: no block ends
/// before the last has come. Made before anything waits: it loads the kernels and allocates.
class WaitingKernels {
 public:
  /// At most `awaited_max` bytes; after `patience` a block gives up, so that no failure holds the GPU.
  WaitingKernels(std::size_t awaited_max, std::chrono::seconds patience);
  ~WaitingKernels();
  WaitingKernels(const WaitingKernels&) = delete;
  WaitingKernels& operator=(const WaitingKernels&) = delete;

  /// Returns once every block runs; throws if they do not all run at once. `awaited` is of device memory.
  void start(std::span<const std::byte* const> awaited);

  /// True if there was room for one more block after all: a kernel that only ends was queued and has ended.
  [[nodiscard]] bool leave_room();

  /// Returns once the kernels have ended; says what went wrong, else nothing.
  [[nodiscard]] std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Holds streams until it is pulled, without a host thread or a kernel.
class StreamPlug {
 public:
  StreamPlug();
  ~StreamPlug();
  StreamPlug(const StreamPlug&) = delete;
  StreamPlug& operator=(const StreamPlug&) = delete;

  void hold(void* stream);  ///< Work that is queued there from now on waits.
  void pull();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Bytes that streams copy out of device memory, each in the order of its stream.
class Witnesses {
 public:
  explicit Witnesses(std::size_t count);
  ~Witnesses();
  Witnesses(const Witnesses&) = delete;
  Witnesses& operator=(const Witnesses&) = delete;

  void look(void* stream, std::size_t index, const std::byte* device);  ///< Queued, nothing more.
  [[nodiscard]] std::byte seen(std::size_t index) const { return bytes_[index]; }

 private:
  std::byte* bytes_ = nullptr;
};

void clear(std::byte* device, std::size_t bytes);
void upload(std::byte* device, std::span<const std::byte> host);
void download(std::span<std::byte> host, const std::byte* device);

}  // namespace gpuio::tests
