// SPDX-License-Identifier: Apache-2.0
#include "core/request/path.h"

namespace gpuio::core {

std::string_view to_string(Carriage carriage) noexcept {
  switch (carriage) {
    case Carriage::in_place:
      return "in place";
    case Carriage::slab_copy:
      return "pinned slab -> copy engine";
    case Carriage::slab_kernel:
      return "pinned slab -> kernel";
    case Carriage::lent_copy:
      return "registered pages -> copy engine";
    case Carriage::kept_copy:
      return "pages kept registered -> copy engine";
    case Carriage::lent_kernel:
      return "registered pages -> kernel";
    case Carriage::kept_kernel:
      return "pages kept registered -> kernel";
    case Carriage::inline_read:
      return "caller's thread";
    case Carriage::device_copy:
      return "copy engine";
    case Carriage::pool_copy:
      return "pool workers";
    case Carriage::copy_kernel:
      return "one kernel";
    case Carriage::packed_copy:
      return "pool workers -> pinned slab -> copy engine";
  }
  return "";
}

}  // namespace gpuio::core

namespace gpuio::spi {

std::string_view to_string(Way way) noexcept {
  switch (way) {
    case Way::cached:
      return "page cache";
    case Way::queued:
      return "storage queue, buffered";
    case Way::direct:
      return "storage queue, direct";
  }
  return "";
}

}  // namespace gpuio::spi
