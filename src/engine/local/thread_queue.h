// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "core/spi/executor.h"
#include "core/spi/storage.h"

namespace gpuio::local {

/// A storage queue that does each operation by a blocking call on a pool thread: where io_uring is refused. Wakes the
/// executor when something has completed. The executor must run or drop its tasks before this is destroyed.
[[nodiscard]] std::unique_ptr<spi::StorageQueue> make_thread_queue(spi::Executor& executor, spi::FileSystem& files,
                                                                   std::uint32_t depth);

}  // namespace gpuio::local
