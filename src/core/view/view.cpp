// SPDX-License-Identifier: Apache-2.0
#include "gpuio/view.hpp"

#include "core/memory/region.h"

namespace gpuio {

Result<dev::ViewSource> view_source(const Pin& pin, std::size_t element_bytes, std::size_t alignment) {
  core::RegionPin* const hold = core::RegionPin::of(pin);
  if (hold == nullptr) return Status(Code::closed, "the Pin is empty");
  if (reinterpret_cast<std::uintptr_t>(pin.data()) % alignment != 0) {
    return Status(Code::invalid_argument, "the Slice begins at no multiple of the element's alignment")
        .with("alignment", alignment);
  }
  if (pin.size() % element_bytes != 0) {
    return Status(Code::invalid_argument, "the Slice ends inside an element")
        .with("size", pin.size())
        .with("element_bytes", element_bytes);
  }
  const core::Region& region = hold->region();
  const core::ViewCell& cell = hold->cell();
  return dev::ViewSource{.data = pin.data(),
                         .bytes = pin.size(),
                         .generation = &cell.generation,
                         .made_in = cell.generation,
                         .host = region.memory_is_host(),
                         .coherent = region.sharing().coherent};
}

}  // namespace gpuio
