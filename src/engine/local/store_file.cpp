// SPDX-License-Identifier: Apache-2.0
#include "engine/local/store_file.h"

#include <utility>

#include "base/log.h"

namespace gpuio::local {

StoreFile::StoreFile(std::string path, spi::FileHandle buffered, spi::FileHandle direct,
                     const spi::FileAttributes& attributes)
    : path_(std::move(path)),
      buffered_(buffered),
      direct_(direct),
      attributes_(attributes),
      alignment_(attributes),
      size_(attributes.size_bytes) {
  if (direct_ < 0) alignment_.give_up();
}

void StoreFile::reject_direct(std::uint64_t offset, std::uintptr_t address, std::uint64_t bytes) {
  switch (alignment_.rejected(offset, address, bytes)) {
    case DirectAlignment::Lesson::already_known:
      return;
    case DirectAlignment::Lesson::raised:
      GPUIO_LOG(warn, "local", path_ + ": O_DIRECT rejects the alignment that was reported; using whole pages");
      return;
    case DirectAlignment::Lesson::unusable:
      GPUIO_LOG(warn, "local", path_ + ": O_DIRECT rejects whole pages; going through the page cache from now on");
      return;
  }
}

void StoreFile::grow_to(std::uint64_t size_bytes) noexcept {
  std::uint64_t known = size();
  while (known < size_bytes && !size_.compare_exchange_weak(known, size_bytes, std::memory_order_relaxed)) {
  }
}

Status StoreFile::healthy() const {
  if (!poisoned()) return {};
  const std::lock_guard lock(mutex_);
  return poison_;
}

void StoreFile::poison(const Status& cause) {
  const std::lock_guard lock(mutex_);
  if (!poison_.ok()) return;
  poison_ = Status(Code::poisoned, "a flush failed before, so what was written may be lost; reopen and verify")
                .with("store", path_)
                .with("cause", cause.to_string())
                .with_scope(FailureScope::store)
                .with_data_loss(true);
  poisoned_.store(true, std::memory_order_release);
}

}  // namespace gpuio::local
