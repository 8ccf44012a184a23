// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/spi/kernels.h"

namespace gpuio::host {

/// One kernel as the host device runs it: assembly instantiates the bodies over dev::LoopPolicy and fills these in.
struct Kernel {
  std::size_t argument_bytes = 0;
  /// Does the `part`-th of `parts` shares of the work.
  void (*run)(const void* arguments, std::uint64_t part, std::uint64_t parts) = nullptr;
  /// How many bytes a launch moves, about: decides over how many workers it is spread.
  std::uint64_t (*bytes)(const void* arguments) = nullptr;
};

inline constexpr std::size_t kKernelArgumentBytesMax = 128;

using KernelTable = std::array<Kernel, static_cast<std::size_t>(spi::KernelId::count)>;

}  // namespace gpuio::host
