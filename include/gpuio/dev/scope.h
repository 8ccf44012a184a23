// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// How far an atomic operation reaches and what it orders. Needs no compiler's or vendor's header: host headers that
/// only name a scope include this one.
namespace gpuio::dev {

/// Among whom an operation is atomic. A wider scope costs more, and is not legal everywhere: ask Slice::atomics.
enum class Scope : std::uint8_t {
  device,   ///< The threads of one processor: of one GPU, or of this process on the host.
  process,  ///< All threads of this process and the kernels of its devices.
  host,     ///< All processes of this machine that share the memory, and their devices.
  pool,     ///< All machines that share the memory.
};

/// What an operation orders besides its own word; the words of C++'s memory model.
enum class Order : std::uint8_t {
  relaxed,          ///< Nothing.
  acquire,          ///< What follows it stays behind it.
  release,          ///< What precedes it stays ahead of it.
  acquire_release,  ///< Both.
  sequential,       ///< Both, and all sequential operations have one order that all threads see.
};

}  // namespace gpuio::dev
