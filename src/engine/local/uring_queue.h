// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "core/spi/storage.h"
#include "gpuio/result.hpp"

namespace gpuio::local {

struct UringOptions {
  std::uint32_t depth = 0;    ///< Operations in flight at most.
  bool single_thread = true;  ///< The same thread polls for ever; false: a different one may each time.
};

/// A storage queue over io_uring, with registered buffers and files where the kernel lets us. Fails where any step of
/// setting up, a NOP and a read does not work here; the Status says which and why. Made by any thread; the first
/// one that submits is the polling thread.
[[nodiscard]] Result<std::unique_ptr<spi::StorageQueue>> make_uring_queue(const UringOptions& options);

}  // namespace gpuio::local
