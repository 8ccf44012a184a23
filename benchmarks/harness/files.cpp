// SPDX-License-Identifier: Apache-2.0
#include "harness/files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/random.h"

namespace gpuio::bench {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{16} << 20;

[[noreturn]] void fail(const std::filesystem::path& path, const char* what) {
  throw std::system_error(errno, std::generic_category(), path.string() + ": " + what);
}

/// Writes `head`, then random bytes up to `size_bytes`.
void make_file(const std::filesystem::path& path, const std::string& head, std::uint64_t size_bytes) {
  if (std::filesystem::exists(path) && std::filesystem::file_size(path) == size_bytes) return;
  std::filesystem::create_directories(path.parent_path());
  const base::UniqueFd fd = open_or_throw(path, O_CREAT | O_TRUNC | O_WRONLY);
  if (::write(fd.get(), head.data(), head.size()) != static_cast<ssize_t>(head.size())) fail(path, "write");
  base::Random random(size_bytes);
  std::vector<std::uint64_t> chunk(kChunkBytes / sizeof(std::uint64_t));
  for (std::uint64_t at = head.size(); at < size_bytes;) {
    for (std::uint64_t& word : chunk) word = random.next();
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(kChunkBytes, size_bytes - at));
    const ssize_t written = ::pwrite(fd.get(), chunk.data(), want, static_cast<off_t>(at));
    if (written <= 0) fail(path, "write");
    at += static_cast<std::uint64_t>(written);
  }
  if (::fsync(fd.get()) != 0) fail(path, "fsync");
}

}  // namespace

base::UniqueFd open_or_throw(const std::filesystem::path& path, int flags) {
  base::UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (!fd) fail(path, "open");
  return fd;
}

void make_random_file(const std::filesystem::path& path, std::uint64_t size_bytes) { make_file(path, {}, size_bytes); }

void make_model_file(const std::filesystem::path& path, std::uint64_t size_bytes) {
  constexpr std::uint64_t kTensors = 1000;
  constexpr std::uint64_t kColumns = 128;
  constexpr std::uint64_t kElementBytes = 2;
  const std::uint64_t rows = size_bytes / kTensors / (kColumns * kElementBytes);
  const std::uint64_t tensor_bytes = rows * kColumns * kElementBytes;
  nlohmann::json header;
  for (std::uint64_t i = 0; i < kTensors; ++i) {
    header["layer." + std::to_string(i) + ".weight"] = {
        {"dtype", "BF16"}, {"shape", {rows, kColumns}}, {"data_offsets", {i * tensor_bytes, (i + 1) * tensor_bytes}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + sizeof(std::uint64_t) + 4095) / 4096 * 4096 - sizeof(std::uint64_t), ' ');
  const std::uint64_t length = text.size();
  std::string head(sizeof length, '\0');
  std::memcpy(head.data(), &length, sizeof length);  // The format's order is this machine's: little-endian.
  head += text;
  make_file(path, head, head.size() + kTensors * tensor_bytes);
}

void evict(const std::filesystem::path& path) {
  const base::UniqueFd fd = open_or_throw(path, O_RDONLY);
  if (::fdatasync(fd.get()) != 0) fail(path, "fdatasync");
  const int error = ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  if (error != 0) throw std::system_error(error, std::generic_category(), path.string() + ": fadvise");
}

HotFile::HotFile(const std::filesystem::path& path) : bytes_(std::filesystem::file_size(path)) {
  const base::UniqueFd fd = open_or_throw(path, O_RDONLY);
  mapping_ = ::mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (mapping_ == MAP_FAILED) fail(path, "mmap");
  if (::mlock(mapping_, bytes_) == 0) return;
  ::munmap(mapping_, bytes_);
  fail(path, "mlock");
}

HotFile::~HotFile() { ::munmap(mapping_, bytes_); }

void require_direct(const std::filesystem::path& path) {
  const base::UniqueFd fd = open_or_throw(path, O_RDONLY | O_DIRECT);
  alignas(4096) std::byte block[4096];
  if (::pread(fd.get(), block, sizeof block, 0) != sizeof block) fail(path, "O_DIRECT read");
}

std::vector<Extent> random_extents(std::uint64_t file_bytes, std::uint64_t bytes, std::uint64_t count,
                                   std::uint64_t seed) {
  base::Random random(seed);
  std::vector<Extent> extents(count);
  for (Extent& extent : extents) extent = {random.uniform(file_bytes / bytes) * bytes, bytes};
  return extents;
}

}  // namespace gpuio::bench
