// SPDX-License-Identifier: Apache-2.0
#include "sim/file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/align.h"

namespace gpuio::sim {

Result<std::shared_ptr<File>> File::create(std::uint64_t capacity_bytes, std::uint64_t inode) {
  const std::uint64_t bytes = base::align_up(std::max(capacity_bytes, kPageBytes), kPageBytes);
  base::UniqueFd memory_file(::memfd_create("gpuio-sim", MFD_CLOEXEC));
  if (!memory_file) return Status::from_errno(errno, "no memory file for a simulated file");
  if (::ftruncate(memory_file.get(), static_cast<off_t>(bytes)) != 0) {
    return Status::from_errno(errno, "no memory for a simulated file").with("size", bytes);
  }
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory_file.get(), 0);
  if (memory == MAP_FAILED) return Status::from_errno(errno, "can't map a simulated file").with("size", bytes);
  return std::shared_ptr<File>(new File(std::move(memory_file), {static_cast<std::byte*>(memory), bytes}, inode));
}

File::File(base::UniqueFd memory_file, std::span<std::byte> memory, std::uint64_t inode)
    : memory_file_(std::move(memory_file)), memory_(memory), inode_(inode), resident_(memory.size() / kPageBytes) {}

File::~File() { ::munmap(memory_.data(), memory_.size()); }

std::span<std::byte> File::sector(std::uint64_t index) const {
  return memory_.subspan(index * kSectorBytes, kSectorBytes);
}

void File::read(std::uint64_t offset, std::span<std::byte> memory) const {
  std::ranges::copy(memory_.subspan(offset, memory.size()), memory.begin());
}

void File::remember(std::uint64_t offset, std::uint64_t length) {
  for (std::uint64_t index = offset / kSectorBytes; index * kSectorBytes < offset + length; ++index) {
    const auto [entry, fresh] = waiting_.try_emplace(index);
    if (!fresh) continue;
    if (const auto lost = lost_.find(index); lost != lost_.end()) {
      entry->second = lost->second;
      lost_.erase(lost);
    } else {
      std::ranges::copy(sector(index), entry->second.begin());
    }
  }
}

void File::write(std::uint64_t offset, std::span<const std::byte> memory) {
  remember(offset, memory.size());
  std::ranges::copy(memory, memory_.begin() + static_cast<std::ptrdiff_t>(offset));
  size_ = std::max(size_, offset + memory.size());
  ++version_;
}

void File::resize(std::uint64_t size_bytes) {
  if (size_bytes < size_) {
    remember(size_bytes, size_ - size_bytes);
    std::memset(memory_.data() + size_bytes, 0, size_ - size_bytes);
  }
  size_ = size_bytes;
  ++version_;
}

void File::flush() {
  waiting_.clear();
  flushed_size_ = size_;
}

void File::fail_flush(Fate& fate) {
  for (auto& [index, before] : waiting_) {
    if (fate.strikes(Fault::lost_sector)) lost_.emplace(index, before);
  }
  waiting_.clear();
}

void File::crash(Fate& fate) {
  for (const auto& [index, before] : lost_) std::ranges::copy(before, sector(index).begin());
  for (const auto& [index, before] : waiting_) {
    if (fate.strikes(Fault::lost_sector)) {
      std::ranges::copy(before, sector(index).begin());
    } else if (fate.strikes(Fault::torn_sector)) {
      const std::size_t torn_at = fate.uniform(kSectorBytes);
      std::copy(before.begin() + static_cast<std::ptrdiff_t>(torn_at), before.end(),
                sector(index).begin() + static_cast<std::ptrdiff_t>(torn_at));
    }
  }
  const std::uint64_t size_before = size_;
  if (fate.chance(0.5)) size_ = flushed_size_;
  waiting_.clear();
  lost_.clear();
  if (size_ < size_before) std::ranges::fill(memory_.subspan(size_, size_before - size_), std::byte{0});
  flushed_size_ = size_;
  ++version_;
  std::fill(resident_.begin(), resident_.end(), false);
}

std::uint64_t File::resident(std::uint64_t offset, std::uint64_t length) const {
  std::uint64_t bytes = 0;
  for (std::uint64_t at = offset; at < offset + length;) {
    const std::uint64_t next = std::min((at / kPageBytes + 1) * kPageBytes, offset + length);
    if (at < memory_.size() && resident_[at / kPageBytes]) bytes += next - at;
    at = next;
  }
  return bytes;
}

std::uint64_t File::resident_from(std::uint64_t offset, std::uint64_t length) const {
  std::uint64_t at = offset;
  while (at < offset + length && at < memory_.size() && resident_[at / kPageBytes])
    at = (at / kPageBytes + 1) * kPageBytes;
  return std::min(at, offset + length) - std::min(offset, at);
}

void File::set_resident(std::uint64_t offset, std::uint64_t length, bool resident) {
  const std::uint64_t end = std::min<std::uint64_t>(offset + length, memory_.size());
  for (std::uint64_t page = offset / kPageBytes; page * kPageBytes < end; ++page) resident_[page] = resident;
}

std::uint64_t File::good_from(std::uint64_t offset, std::uint64_t length) const {
  const auto first = bad_.lower_bound(offset / kSectorBytes);
  if (first == bad_.end() || *first * kSectorBytes >= offset + length) return length;
  return std::max(*first * kSectorBytes, offset) - offset;
}

void File::heal(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = (offset + length + kSectorBytes - 1) / kSectorBytes;
  bad_.erase(bad_.lower_bound(offset / kSectorBytes), bad_.lower_bound(end));
}

std::byte* File::map(std::uint64_t offset, std::uint64_t length) const {
  void* const mapped = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, memory_file_.get(), static_cast<off_t>(offset));
  return mapped == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapped);
}

}  // namespace gpuio::sim
