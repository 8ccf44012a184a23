// SPDX-License-Identifier: Apache-2.0
#include "engine/local/alignment.h"

#include <bit>

namespace gpuio::local {
namespace {

std::uint32_t or_page(std::uint32_t reported) {
  return std::has_single_bit(reported) ? reported : DirectAlignment::kPageBytes;
}

}  // namespace

DirectAlignment::DirectAlignment(const spi::FileAttributes& attributes)
    : offset_(or_page(attributes.direct_offset_alignment)), memory_(or_page(attributes.direct_memory_alignment)) {}

DirectAlignment::Lesson DirectAlignment::rejected(std::uint64_t offset, std::uintptr_t address,
                                                  std::uint64_t bytes) noexcept {
  const std::uint32_t known = offset_.load(std::memory_order_relaxed);
  if (known == 0) return Lesson::already_known;
  if (((offset | address | bytes) & (kPageBytes - 1)) == 0) {
    give_up();
    return Lesson::unusable;
  }
  if (known >= kPageBytes && memory() >= kPageBytes) return Lesson::already_known;
  memory_.store(kPageBytes, std::memory_order_relaxed);
  offset_.store(kPageBytes, std::memory_order_relaxed);
  return Lesson::raised;
}

}  // namespace gpuio::local
