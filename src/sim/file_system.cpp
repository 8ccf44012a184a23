// SPDX-License-Identifier: Apache-2.0
#include "sim/file_system.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/align.h"
#include "base/try.h"

namespace gpuio::sim {
namespace {

constexpr std::uint64_t kCallNs = 500;
constexpr std::uint64_t kSlowFactor = 100;

}  // namespace

FileSystem::FileSystem(std::shared_ptr<Fate> fate, const DiskModel& disk, std::function<void(std::uint64_t)> pass_time)
    : fate_(std::move(fate)), disk_(disk), pass_time_(std::move(pass_time)) {}

std::uint64_t FileSystem::duration_ns(std::uint64_t bytes) {
  if (disk_.is_memory) return kCallNs;
  const std::uint64_t latency = disk_.latency_ns / 2 + fate_->uniform(disk_.latency_ns + 1);
  const std::uint64_t slow = fate_->strikes(Fault::slow) ? kSlowFactor : 1;
  return slow * (latency + bytes * 1'000'000'000 / disk_.bytes_per_second);
}

Result<spi::FileHandle> FileSystem::open(const std::string& path, const spi::FileOpenOptions& options) {
  const std::lock_guard lock(mutex_);
  const auto fail = [&path](int error) { return Status::from_errno(error, "can't open").with("path", path); };
  if (dead_) return fail(EIO);
  if (fate_->strikes(Fault::open_failed)) return fail(EMFILE);
  if (options.direct && disk_.direct_alignment == 0) return fail(EINVAL);
  auto found = names_.find(path);
  if (found != names_.end() && options.create && options.exclusive) return fail(EEXIST);
  if (found == names_.end()) {
    if (!options.create) return fail(ENOENT);
    if (!step()) return fail(EIO);
    GPUIO_ASSIGN(std::shared_ptr<File> made, File::create(disk_.file_bytes_max, next_inode_++));
    change({"", path, std::move(made)});
    found = names_.find(path);
  }
  spi::FileHandle handle = 3;
  while (open_.contains(handle)) ++handle;  // the lowest free one, as the kernel
  open_.emplace(handle, std::make_shared<OpenFile>(OpenFile{found->second, options}));
  return handle;
}

void FileSystem::close(spi::FileHandle handle) {
  const std::lock_guard lock(mutex_);
  open_.erase(handle);
}

std::shared_ptr<FileSystem::OpenFile> FileSystem::find(spi::FileHandle handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(handle);
  return found == open_.end() ? nullptr : found->second;
}

Result<spi::FileAttributes> FileSystem::attributes(spi::FileHandle handle) {
  const std::shared_ptr<OpenFile> open = find(handle);
  if (open == nullptr || open->gone) return Status::from_errno(EBADF, "fstat");
  const std::lock_guard lock(mutex_);
  spi::FileAttributes attributes;
  attributes.size_bytes = open->file->size();
  attributes.device = 1;
  attributes.inode = open->file->inode();
  attributes.direct_memory_alignment = attributes.direct_offset_alignment = disk_.reported_alignment;
  attributes.is_regular = true;
  attributes.is_memory = disk_.is_memory;
  attributes.file_system = "sim";
  attributes.version = fate_->strikes(Fault::not_told) ? 0 : (open->file->inode() << 32U) + open->file->version();
  return attributes;
}

std::int64_t FileSystem::read(spi::FileHandle handle, std::uint64_t offset, std::span<std::byte> memory, bool no_wait) {
  const std::shared_ptr<OpenFile> open = find(handle);
  if (open == nullptr) return -EBADF;
  std::int64_t result = 0;
  std::uint64_t cost_ns = kCallNs;
  {
    const std::lock_guard lock(mutex_);
    File& file = *open->file;
    if (no_wait && !disk_.knows_no_wait) return -EOPNOTSUPP;
    if (fate_->strikes(Fault::evicted)) file.set_resident(offset, memory.size(), false);
    const std::uint64_t wanted = std::min<std::uint64_t>(memory.size(), file.size() - std::min(offset, file.size()));
    const std::uint64_t at_hand = disk_.is_memory ? wanted : file.resident_from(offset, wanted);
    if (no_wait) {
      if (at_hand == 0 && wanted > 0) return -EAGAIN;
      memory = memory.first(at_hand);
    } else if (at_hand < wanted) {
      cost_ns += duration_ns(wanted - at_hand);
    }
    result = read_bytes(*open, offset, memory);
    if (result > 0) file.set_resident(offset, static_cast<std::uint64_t>(result), true);
  }
  pass_time_(cost_ns);
  return result;
}

std::int64_t FileSystem::write(spi::FileHandle handle, std::uint64_t offset, std::span<const std::byte> memory) {
  const std::shared_ptr<OpenFile> open = find(handle);
  if (open == nullptr) return -EBADF;
  std::int64_t result = 0;
  {
    const std::lock_guard lock(mutex_);
    result = write_bytes(*open, offset, memory);
    if (result > 0) open->file->set_resident(offset, static_cast<std::uint64_t>(result), true);
  }
  pass_time_(kCallNs);
  return result;
}

int FileSystem::flush(spi::FileHandle handle) {
  const std::shared_ptr<OpenFile> open = find(handle);
  if (open == nullptr) return -EBADF;
  pass_time_(duration_ns(0));
  const std::lock_guard lock(mutex_);
  return flush_file(*open);
}

int FileSystem::truncate(spi::FileHandle handle, std::uint64_t size_bytes) {
  const std::shared_ptr<OpenFile> open = find(handle);
  if (open == nullptr) return -EBADF;
  const std::lock_guard lock(mutex_);
  return resize(*open, size_bytes);
}

int FileSystem::reserve(spi::FileHandle handle, std::uint64_t size_bytes) {
  const std::shared_ptr<OpenFile> open = find(handle);
  if (open == nullptr) return -EBADF;
  const std::lock_guard lock(mutex_);
  if (fate_->strikes(Fault::not_told)) return -EOPNOTSUPP;
  return size_bytes <= open->file->size() ? 0 : resize(*open, size_bytes);
}

std::optional<std::uint64_t> FileSystem::resident(spi::FileHandle handle, std::uint64_t offset, std::uint64_t length) {
  const std::shared_ptr<OpenFile> open = find(handle);
  const std::lock_guard lock(mutex_);
  if (open == nullptr || !disk_.tells_residency || fate_->strikes(Fault::not_told)) return std::nullopt;
  return disk_.is_memory ? length : open->file->resident(offset, length);
}

Result<std::byte*> FileSystem::map(spi::FileHandle handle, std::uint64_t offset, std::uint64_t length) {
  const std::shared_ptr<OpenFile> open = find(handle);
  if (open == nullptr || open->gone) return Status::from_errno(EBADF, "mmap");
  const std::lock_guard lock(mutex_);
  std::byte* const base = fate_->strikes(Fault::map_failed) ? nullptr : open->file->map(offset, length);
  if (base == nullptr) return Status::from_errno(ENOMEM, "mmap");
  mappings_.emplace(base, length);
  return base;
}

void FileSystem::unmap(std::byte* base, std::uint64_t length) {
  const std::lock_guard lock(mutex_);
  mappings_.erase(base);
  ::munmap(base, length);
}

Status FileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const auto fail = [&](int error) {
    return Status::from_errno(error, "can't rename").with("from", from).with("to", to).with_effect(Effect::unknown);
  };
  const auto found = names_.find(from);
  if (dead_ || !step()) return fail(EIO);
  if (found == names_.end()) return fail(ENOENT);
  if (fate_->strikes(Fault::io_error)) return fail(EIO);
  change({from, to, found->second});
  // The folder's flush is a step of its own: the power may go between the two.
  if (!step() || fate_->strikes(Fault::flush_failed)) return fail(EIO);
  for (const NameChange& made : std::exchange(journal_, {})) apply(made, durable_names_);
  return {};
}

Status FileSystem::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const bool known = names_.contains(path);
  if (dead_ || !step()) return Status::from_errno(EIO, "can't remove").with("path", path);
  if (!known) return Status::from_errno(ENOENT, "can't remove").with("path", path);
  change({path, "", nullptr});
  return {};
}

void FileSystem::change(const NameChange& change) {
  apply(change, names_);
  journal_.push_back(change);
}

void FileSystem::apply(const NameChange& change, Names& names) {
  if (!change.from.empty()) names.erase(change.from);
  if (!change.to.empty()) names[change.to] = change.file;
}

}  // namespace gpuio::sim
