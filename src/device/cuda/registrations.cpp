// SPDX-License-Identifier: Apache-2.0
#include "device/cuda/registrations.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "base/log.h"
#include "base/try.h"
#include "device/cuda/device.h"

namespace gpuio::cuda {

Status Registrations::add_chunk(std::byte* base, std::size_t bytes, spi::RegisterMode mode) const {
  const int read_only = mode == spi::RegisterMode::read_only;
  Status status = status_of(table_, table_.register_host(device_, base, bytes, read_only), "registering host memory");
  if (!status.ok()) status.with("bytes", bytes);
  return status;
}

Status Registrations::remove_chunk(std::byte* base) const {
  return status_of(table_, table_.unregister_host(device_, base), "unregistering host memory");
}

Status Registrations::add(std::byte* base, std::size_t bytes, spi::RegisterMode mode) {
  if (bytes <= chunk_bytes_) return add_chunk(base, bytes, mode);
  for (std::size_t at = 0; at < bytes; at += chunk_bytes_) {
    Status status = add_chunk(base + at, std::min(chunk_bytes_, bytes - at), mode);
    if (status.ok()) continue;
    if (const Status undone = remove_chunks(base, at); !undone.ok()) {
      GPUIO_LOG(error, "cuda", "after a failed registration: " + undone.to_string());
    }
    return status;
  }
  const std::lock_guard lock(mutex_);
  large_.insert_or_assign(base, bytes);
  chunked_.store(large_.size(), std::memory_order_release);
  return {};
}

Status Registrations::remove_chunks(std::byte* base, std::size_t& bytes) const {
  while (bytes > 0) {
    const std::size_t last = (bytes - 1) / chunk_bytes_ * chunk_bytes_;
    Status status = remove_chunk(base + last);
    if (!status.ok()) return status.with("still_registered_bytes", bytes);
    bytes = last;
  }
  return {};
}

Status Registrations::remove(std::byte* base, std::size_t bytes) {
  if (bytes <= chunk_bytes_) return remove_chunk(base);
  std::size_t left = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = large_.find(base);
    if (found == large_.end()) return Status(Code::not_found, "no such range is registered").with("bytes", bytes);
    left = found->second;
  }
  Status status = remove_chunks(base, left);
  const std::lock_guard lock(mutex_);
  if (status.ok()) {
    large_.erase(base);
  } else {
    large_[base] = left;
  }
  chunked_.store(large_.size(), std::memory_order_release);
  return status;
}

std::size_t Registrations::within_chunk(const std::byte* address, std::size_t bytes) const {
  // The comparison is of addresses that need not be of one object.
  const auto next = std::upper_bound(large_.begin(), large_.end(), address, [](const std::byte* a, const auto& range) {
    return std::less<>()(a, static_cast<const std::byte*>(range.first));
  });
  if (next == large_.begin()) return bytes;
  const auto& [base, size] = *std::prev(next);
  const auto offset = static_cast<std::size_t>(address - base);
  return offset < size ? std::min(bytes, chunk_bytes_ - offset % chunk_bytes_) : bytes;
}

std::vector<spi::CopySegment> Registrations::cut(std::span<const spi::CopySegment> segments) const {
  std::vector<spi::CopySegment> pieces;
  pieces.reserve(segments.size());
  const std::lock_guard lock(mutex_);
  for (spi::CopySegment rest : segments) {
    while (rest.bytes > 0) {
      const std::size_t piece =
          std::min(within_chunk(rest.source, rest.bytes), within_chunk(rest.destination, rest.bytes));
      pieces.push_back({rest.source, rest.destination, piece});
      rest = {rest.source + piece, rest.destination + piece, rest.bytes - piece};
    }
  }
  return pieces;
}

}  // namespace gpuio::cuda
