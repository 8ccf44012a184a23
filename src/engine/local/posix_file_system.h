// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "core/spi/storage.h"

namespace gpuio::local {

/// The operating system's files (Linux). Thread safety: all members.
[[nodiscard]] std::shared_ptr<spi::FileSystem> make_posix_file_system();

}  // namespace gpuio::local
