// SPDX-License-Identifier: Apache-2.0
#include "transfers.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "waiting_kernels.h"

namespace gpuio::tests {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20U;

/// What a file has at an offset, and memory that is written to it at its own, with another key; never zero.
std::byte byte_at(std::uint64_t offset, std::uint64_t key) {
  return static_cast<std::byte>(1 + (offset * 131 + (offset >> 12U) * 17 + key) % 255);
}
constexpr std::uint64_t kFileKey = 0;
constexpr std::uint64_t kMemoryKey = 101;

std::vector<std::byte> bytes_of(std::uint64_t offset, std::uint64_t length, std::uint64_t key) {
  std::vector<std::byte> bytes(length);
  for (std::uint64_t i = 0; i < length; ++i) bytes[i] = byte_at(offset + i, key);
  return bytes;
}

/// `count` extents in no order, so that neighbours do not travel together.
Layout scattered(std::uint64_t count, std::uint64_t length) {
  std::vector<Extent> extents;
  extents.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) extents.push_back({(i * 7919) % count * (length + 3), length});
  return Layout::extents(std::move(extents));
}

Layout unaligned() {
  return Layout::extents({{3, 3 * kMiB + 1}, {4 * kMiB + 5, 77}, {5 * kMiB - 1, 4098}, {6 * kMiB + 511, 2 * kMiB + 1}});
}

/// A new file of `size` bytes in a folder of the machine's.
std::filesystem::path make_file(bool on_disk, std::uint64_t size) {
  const char* named = std::getenv("GPUIO_TEST_DISK");
  const std::filesystem::path disk = named != nullptr ? named : "/var/tmp";
  std::string path = ((on_disk ? disk : "/dev/shm") / "gpuio-gpu-test-XXXXXX").string();
  const int file = ::mkstemp(path.data());
  if (file < 0) throw std::runtime_error("no file can be made: " + path);
  ::close(file);
  const std::vector<std::byte> bytes = bytes_of(0, size, kFileKey);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (std::filesystem::file_size(path) != size) throw std::runtime_error("no room for " + path);
  return path;
}

std::vector<std::byte> part_of_file(const std::filesystem::path& path, const Extent& extent) {
  std::vector<std::byte> bytes(extent.length);
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(extent.offset));
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(extent.length));
  return bytes;
}

}  // namespace

std::vector<Kind> kinds() {
  const Layout large = Layout::contiguous(0, 64 * kMiB);
  const Layout medium = Layout::contiguous(0, 16 * kMiB);
  return {
      {"large_hot_read", false, false, CacheUse::automatic, large},
      {"small_reads", false, false, CacheUse::automatic, scattered(5000, 700)},
      {"unaligned_reads", false, false, CacheUse::automatic, unaligned()},
      {"direct_read", false, true, CacheUse::direct, medium},
      {"unaligned_direct_reads", false, true, CacheUse::direct, unaligned()},
      {"write", true, false, CacheUse::automatic, medium},
      {"direct_write", true, true, CacheUse::direct, medium},
      {"unaligned_direct_writes", true, true, CacheUse::direct, unaligned()},
  };
}

Transferring::Transferring(const Context& context, const Device& device, const Kind& kind)
    : kind_(kind), path_(make_file(kind.on_disk, kind.extents.end())) {
  store_ = context.open(path_.string(), {.mode = OpenMode::write}).value();
  buffer_ = device.allocate(kind.extents.size_bytes()).value();
  if (kind.writes) {
    upload(buffer_.data(), bytes_of(0, buffer_.size(), kMemoryKey));
  } else {
    clear(buffer_.data(), buffer_.size());
  }
}

Transferring::~Transferring() {
  std::error_code gone;
  std::filesystem::remove(path_, gone);
}

void Transferring::start(const Context& context, TransferOptions options) {
  options.cache = kind_.cache;
  request_ = kind_.writes ? context.write(store_, kind_.extents, buffer_, options).value()
                          : context.read(store_, kind_.extents, buffer_, options).value();
}

void Transferring::append_awaited(std::vector<const std::byte*>& awaited) const {
  if (kind_.writes) return;
  const std::byte* part = buffer_.data();
  for (std::uint64_t i = 0; i < kind_.extents.count(); ++i) {
    const std::byte* end = part + kind_.extents.at(i).length;
    for (const std::byte* at = part + kMiB; at < end; at += kMiB) awaited.push_back(at - 1);
    awaited.push_back(end - 1);
    part = end;
  }
}

std::string Transferring::check() const {
  const Status status = request_.status();
  if (!status.ok()) return kind_.name + ": " + status.to_string();
  std::vector<std::byte> memory(buffer_.size());
  download(memory, buffer_.data());
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < kind_.extents.count(); ++i) {
    const Extent extent = kind_.extents.at(i);
    const std::vector<std::byte> expected =
        kind_.writes ? bytes_of(at, extent.length, kMemoryKey) : bytes_of(extent.offset, extent.length, kFileKey);
    const std::vector<std::byte> written = kind_.writes ? part_of_file(path_, extent) : expected;
    const bool in_memory =
        std::equal(expected.begin(), expected.end(), memory.begin() + static_cast<std::ptrdiff_t>(at));
    if (!in_memory || written != expected) {
      return kind_.name + ": other bytes than expected in the extent at " + std::to_string(extent.offset);
    }
    at += extent.length;
  }
  return {};
}

}  // namespace gpuio::tests
