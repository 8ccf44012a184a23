// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gpuio::bench {

/// Huge pages of the system, for peers that can't ask for transparent ones: our own buffers lie in huge pages, and a
/// disk is given fewer, larger pieces then. Reserved while this lives where the user may (root); what others have
/// reserved is counted in and left alone.
class HugePages {
 public:
  explicit HugePages(std::uint64_t bytes);
  ~HugePages();
  HugePages(const HugePages&) = delete;
  HugePages& operator=(const HugePages&) = delete;

  /// Whether so many bytes are free now.
  [[nodiscard]] bool available() const noexcept { return available_; }

 private:
  std::uint64_t reserved_before_ = 0;
  bool changed_ = false;
  bool available_ = false;
};

}  // namespace gpuio::bench
