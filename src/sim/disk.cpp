// SPDX-License-Identifier: Apache-2.0
// What reads, writes and flushes do to the bytes of a FileSystem, and what a power cut does.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/align.h"
#include "base/try.h"
#include "sim/file_system.h"

namespace gpuio::sim {

bool FileSystem::misaligned(const OpenFile& open, std::uint64_t offset, const std::byte* memory,
                            std::size_t bytes) const {
  if (!open.options.direct) return false;
  return ((offset | reinterpret_cast<std::uintptr_t>(memory) | bytes) & (disk_.direct_alignment - 1)) != 0;
}

int FileSystem::refusal(const OpenFile& open, std::uint64_t offset, const std::byte* memory, std::size_t bytes) {
  if (dead_ || open.gone) return -EIO;
  if (misaligned(open, offset, memory, bytes)) return -EINVAL;
  if (fate_->strikes(Fault::interrupted)) return -EINTR;
  if (fate_->strikes(Fault::again)) return -EAGAIN;
  return 0;
}

std::size_t FileSystem::shorten(const OpenFile& open, std::size_t bytes) {
  const std::size_t unit = open.options.direct ? File::kSectorBytes : 1;
  if (bytes <= unit || !fate_->strikes(Fault::short_transfer)) return bytes;
  return unit * (1 + fate_->uniform(bytes / unit));
}

void FileSystem::scribble(std::span<std::byte> memory) {
  const auto value = static_cast<std::byte>(fate_->uniform(256));
  std::ranges::fill(memory.first(fate_->uniform(memory.size() + 1)), value);
}

std::int64_t FileSystem::read_bytes(const OpenFile& open, std::uint64_t offset, std::span<std::byte> memory) {
  File& file = *open.file;
  if (const int error = refusal(open, offset, memory.data(), memory.size()); error != 0) return error;
  const std::uint64_t there = std::min<std::uint64_t>(memory.size(), file.size() - std::min(offset, file.size()));
  if (there == 0) return 0;
  if (fate_->strikes(Fault::bad_sector)) file.set_bad(offset + fate_->uniform(there));
  const std::uint64_t good = file.good_from(offset, there);
  if (good == 0 || fate_->strikes(Fault::io_error)) {
    scribble(memory);  // what a failed read leaves in its memory is anybody's guess
    return -EIO;
  }
  const std::size_t bytes = shorten(open, good);
  file.read(offset, memory.first(bytes));
  return static_cast<std::int64_t>(bytes);
}

std::int64_t FileSystem::write_bytes(const OpenFile& open, std::uint64_t offset, std::span<const std::byte> memory) {
  File& file = *open.file;
  if (const int error = refusal(open, offset, memory.data(), memory.size()); error != 0) return error;
  const std::uint64_t room = file.capacity() - std::min(offset, file.capacity());
  if (room == 0 || fate_->strikes(Fault::no_space)) return -ENOSPC;
  const bool powered = step();
  std::size_t bytes = shorten(open, std::min<std::uint64_t>(memory.size(), room));
  const bool fails = !powered || fate_->strikes(Fault::io_error);
  if (fails) bytes = fate_->uniform(bytes + 1);
  if (bytes > 0) {
    file.write(offset, memory.first(bytes));
    file.heal(offset, bytes);
  }
  return fails ? -EIO : static_cast<std::int64_t>(bytes);
}

int FileSystem::flush_file(const OpenFile& open) {
  if (dead_ || open.gone || !step()) return -EIO;
  if (fate_->strikes(Fault::interrupted)) return -EINTR;
  if (fate_->strikes(Fault::flush_failed)) {
    open.file->fail_flush(*fate_);
    return -EIO;
  }
  open.file->flush();
  // As journals do: what came before this file's data is on the disk with it.
  for (const NameChange& made : std::exchange(journal_, {})) apply(made, durable_names_);
  return 0;
}

int FileSystem::resize(const OpenFile& open, std::uint64_t size_bytes) {
  if (dead_ || open.gone || !step()) return -EIO;
  if (size_bytes > open.file->capacity() || fate_->strikes(Fault::no_space)) return -ENOSPC;
  open.file->resize(size_bytes);
  return 0;
}

std::int64_t FileSystem::perform(const OpenFile& open, const spi::StorageOperation& operation) {
  const std::lock_guard lock(mutex_);
  switch (operation.kind) {
    case spi::StorageOperation::Kind::read:
      return read_bytes(open, operation.offset, {operation.memory, operation.bytes});
    case spi::StorageOperation::Kind::write:
      return write_bytes(open, operation.offset, {operation.memory, operation.bytes});
    case spi::StorageOperation::Kind::flush:
      return flush_file(open);
  }
  return -EINVAL;
}

Status FileSystem::add(const std::string& path, std::span<const std::byte> contents) {
  const std::lock_guard lock(mutex_);
  GPUIO_ASSIGN(std::shared_ptr<File> file,
               File::create(std::max<std::uint64_t>(disk_.file_bytes_max, contents.size()), next_inode_++));
  if (!contents.empty()) file->write(0, contents);
  file->flush();
  names_[path] = durable_names_[path] = std::move(file);
  return {};
}

bool FileSystem::exists(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return names_.contains(path);
}

std::vector<std::byte> FileSystem::contents(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(path);
  if (found == names_.end()) return {};
  std::vector<std::byte> bytes(found->second->size());
  found->second->read(0, bytes);
  return bytes;
}

void FileSystem::cut(const std::string& path, std::uint64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  if (const auto found = names_.find(path); found != names_.end()) found->second->resize(size_bytes);
}

void FileSystem::set_resident(const std::string& path, bool resident) {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(path);
  if (found != names_.end()) found->second->set_resident(0, found->second->capacity(), resident);
}

std::size_t FileSystem::open_files() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

std::size_t FileSystem::mappings() const {
  const std::lock_guard lock(mutex_);
  return mappings_.size();
}

bool FileSystem::step() {
  if (++steps_ >= power_ends_at_) dead_ = true;
  return !dead_;
}

std::uint64_t FileSystem::steps() const {
  const std::lock_guard lock(mutex_);
  return steps_;
}

void FileSystem::cut_power_at(std::uint64_t step) {
  const std::lock_guard lock(mutex_);
  power_ends_at_ = steps_ + step;
}

void FileSystem::restore_power() {
  const std::lock_guard lock(mutex_);
  const std::size_t kept = fate_->uniform(journal_.size() + 1);
  for (std::size_t i = 0; i < kept; ++i) apply(journal_[i], durable_names_);
  journal_.clear();
  for (const auto& [name, file] : durable_names_) file->crash(*fate_);
  names_ = durable_names_;
  for (const auto& [handle, open] : open_) open->gone = true;
  open_.clear();
  power_ends_at_ = ~std::uint64_t{0};
  dead_ = false;
}

}  // namespace gpuio::sim
