// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "gpuio/dev/view.h"
#include "gpuio/memory.hpp"
#include "gpuio/result.hpp"

namespace gpuio {

/// See dev/view.h, which kernels include.
template <class T, dev::Checks kMode = dev::kChecks>
using View = dev::View<T, kMode>;

namespace core {
/// What view needs of a Pin for elements of that size and alignment.
[[nodiscard]] Result<dev::ViewSource> view_source(const Pin& pin, std::size_t element_bytes, std::size_t alignment);
}  // namespace core

/// All that `pin` keeps, as elements of `T` (const: read-only). Valid while the Pin lives; moving the Pin is fine.
///
/// Fails with `closed` (an empty Pin) and `invalid_argument` (the address is no multiple of T's alignment; the size is
/// no multiple of T's). Cost: none per access, see View; the first View of a Pin takes a lock.
template <class T>
[[nodiscard]] Result<View<T>> view(const Pin& pin) {
  Result<dev::ViewSource> source = core::view_source(pin, sizeof(T), alignof(T));
  if (!source) return source.error();
  return View<T>(*source);
}

}  // namespace gpuio
