// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "gpuio/memory.hpp"

/// \file
/// Stores as memory: `Context::map` gives a Buffer whose bytes are the store's own, not a copy.

namespace gpuio {

class Device;

/// What may be done with mapped bytes.
enum class MapAccess : std::uint8_t {
  read,        ///< Loads. A store through the pointer is a segmentation fault, as with any constant.
  read_write,  ///< Loads and stores; the Store must have been opened for writing.
};

/// Whether a mapping is to be registered with an accelerator.
enum class DeviceAccess : std::uint8_t {
  automatic,  ///< If that is possible; else transfers pass through slabs, and Buffer::explain says why.
  required,   ///< Or the mapping fails with the reason.
  none,       ///< Never.
};

/// How a Store is mapped (Context::map).
struct MapOptions {
  std::uint64_t offset = 0;            ///< First byte. Of dax devices and huge pages: a multiple of their page.
  std::uint64_t length = 0;            ///< In bytes; 0: all from `offset` on.
  MapAccess access = MapAccess::read;  ///< What may be done with the bytes.
  std::uint64_t reserve_bytes = 0;  ///< Addresses kept free for Buffer::grow, from the first byte on; cost no memory.
  bool prefault = false;            ///< As Buffer::prefault of all of it, at once.
  MemoryAdvice advice = MemoryAdvice::normal;            ///< As Buffer::advise of all of it.
  const Device* device = nullptr;                        ///< Who besides the host is to use it; null: nobody.
  DeviceAccess device_access = DeviceAccess::automatic;  ///< How much that matters; for accelerators.
};

}  // namespace gpuio
