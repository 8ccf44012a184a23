// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>

#include "harness/sample.h"

namespace gpuio::bench {

/// What fio is to read: O_DIRECT through io_uring with fixed buffers and registered files, its fastest form.
struct FioJob {
  std::filesystem::path file;
  bool random = false;
  std::uint64_t block_bytes = 0;
  unsigned depth = 0;
  std::uint64_t offset = 0;  ///< Where a sequential read begins; it wraps at the end of the file.
  double seconds = 1;
  std::uint64_t seed = 1;
  bool huge_pages = false;  ///< Its buffers lie in huge pages, which must be there, see HugePages.
};

[[nodiscard]] bool fio_installed();

/// One sample by a fio process. Times are those of fio's job: starting the process is not held against it.
[[nodiscard]] Sample fio(const FioJob& job);

}  // namespace gpuio::bench
