// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "core/spi/storage.h"

namespace gpuio::local {

/// Many reads as one call of io_uring, through a small ring that each thread has for itself: on bytes in the page cache
/// a call for each costs as much as finding the page.
///
/// For files that know RWF_NOWAIT: the kernel hands reads of others to threads of its own, one by one. Returns how many
/// from the front have ended, with their results; 0 where there is no io_uring. The rest was not begun. Any thread.
[[nodiscard]] std::size_t read_batch(spi::FileHandle file, std::span<spi::ReadPart> parts) noexcept;

}  // namespace gpuio::local
