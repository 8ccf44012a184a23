// SPDX-License-Identifier: Apache-2.0
#include "cli/local_file.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gpuio/status.hpp"

namespace gpuio::cli {

LocalFile::LocalFile(const std::string& path, Mode mode) : path_(path) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (mode == Mode::direct ? O_DIRECT : 0));
  if (fd_ < 0) throw Error(Status::from_errno(errno, "can't open file").with("path", path));
}

LocalFile::LocalFile(LocalFile&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

LocalFile& LocalFile::operator=(LocalFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

LocalFile::~LocalFile() {
  if (fd_ >= 0) ::close(fd_);
}

void LocalFile::read(std::span<std::byte> bytes, std::uint64_t offset) const {
  while (!bytes.empty()) {
    const std::size_t count = read_some(bytes, offset);
    if (count == 0) {
      throw Error(Status(Code::end_of_file, "file became shorter").with("path", path_).with("offset", offset));
    }
    bytes = bytes.subspan(count);
    offset += count;
  }
}

std::size_t LocalFile::read_some(std::span<std::byte> bytes, std::uint64_t offset) const {
  while (true) {
    const ssize_t count = ::pread(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EINTR) continue;
    throw Error(Status::from_errno(errno, "can't read file").with("path", path_).with("offset", offset));
  }
}

std::uint64_t LocalFile::size() const {
  struct stat info{};
  if (::fstat(fd_, &info) != 0) throw Error(Status::from_errno(errno, "can't stat file").with("path", path_));
  return static_cast<std::uint64_t>(info.st_size);
}

void LocalFile::evict() const noexcept { ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED); }

}  // namespace gpuio::cli
