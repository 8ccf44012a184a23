// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "core/spi/device.h"
#include "device/host/kernels.h"

/// What a stream's queue and a captured graph are made of. Copies are cheap: replaying a graph copies its operations.
namespace gpuio::host {

class Mark;

/// Segments laid end to end, so that any range of the whole can be copied by any worker.
class CopyList {
 public:
  explicit CopyList(std::span<const spi::CopySegment> segments);
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  void copy(std::uint64_t begin, std::uint64_t end) const;

 private:
  std::vector<spi::CopySegment> segments_;
  std::vector<std::uint64_t> starts_;
  std::uint64_t bytes_ = 0;
};

struct CopyOperation {
  std::shared_ptr<const CopyList> list;
};
struct FillOperation {
  std::byte* memory;
  std::byte value;
  std::size_t bytes;
};
struct KernelOperation {
  const Kernel* kernel;
  alignas(16) std::array<std::byte, kKernelArgumentBytesMax> arguments;
};
struct RecordOperation {
  std::shared_ptr<Mark> mark;
};
struct WaitMarkOperation {
  std::shared_ptr<Mark> mark;
};
struct WaitWordOperation {
  const std::uint32_t* word;
  std::uint32_t value;
};
struct WriteWordOperation {
  std::uint32_t* word;
  std::uint32_t value;
};

using Operation = std::variant<CopyOperation, FillOperation, KernelOperation, RecordOperation, WaitMarkOperation,
                               WaitWordOperation, WriteWordOperation>;

using Graph = std::vector<Operation>;

}  // namespace gpuio::host
