// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/spi/engine.h"
#include "core/spi/storage.h"
#include "engine/local/local_settings.h"
#include "gpuio/result.hpp"

namespace gpuio::local {

/// What a LocalStore is made of, once everything that can fail has been done. Who takes it closes the handles.
struct OpenedFile {
  std::string path;    ///< Of the file that is open.
  std::string target;  ///< Mode replace: where commit puts it; empty otherwise.
  spi::FileHandle buffered = -1;
  spi::FileHandle direct = -1;
  spi::FileAttributes attributes;
  std::string no_direct;  ///< Why there is no O_DIRECT handle.
  bool writable = false;
  DirectUse direct_use = DirectUse::automatic;
};

/// `seed` makes the name of the file aside (mode replace) differ from others'.
[[nodiscard]] Result<OpenedFile> open_file(spi::FileSystem& files, const spi::Uri& uri, const OpenOptions& options,
                                           const LocalSettings& settings, std::uint64_t seed);

}  // namespace gpuio::local
