// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/window.h"

#include "base/try.h"
#include "gpuio/dev/view.h"

namespace gpuio::mem {

std::byte* Window::address(std::uint64_t offset, std::uint64_t bytes) const noexcept {
  const std::uint64_t mapped = mapping_->size();
  return offset > mapped || bytes > mapped - offset ? nullptr : mapping_->base() + offset;
}

void Window::before_load(const std::byte* from, std::size_t bytes) const noexcept {
  if (!coherent_) dev::drop(from, bytes);
}

void Window::after_store(const std::byte* to, std::size_t bytes) const noexcept {
  if (!coherent_) dev::write_back(to, bytes);
}

Status Window::check(std::uint64_t end) const {
  GPUIO_ASSIGN(const std::uint64_t there, mapping_->file_bytes());
  if (end > there || end > mapping_->size()) {
    return Status(Code::end_of_file, "the memory was cut").with("size", there).with("needed", end);
  }
  if (!mapping_->was_hit()) return {};
  // Whose bytes were lost is not known, so nobody's are handed out; a second attempt meets a new window.
  return Status(Code::io_error, "memory could not be had while it was copied").with_retryable(true);
}

}  // namespace gpuio::mem
