// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/spi/storage.h"
#include "sim/fate.h"
#include "sim/file.h"

namespace gpuio::sim {

/// How fast a simulated disk is, and what it and its file system can do.
struct DiskModel {
  std::uint64_t latency_ns = 80'000;
  std::uint64_t bytes_per_second = 2'000'000'000;
  std::uint64_t stuck_ns = 3'000'000'000;      ///< What "never" means.
  std::uint64_t file_bytes_max = 4ULL << 20U;  ///< Capacity of each file; beyond it the disk is full.
  std::uint32_t direct_alignment = 512;        ///< What O_DIRECT accepts; 0: no O_DIRECT.
  std::uint32_t reported_alignment = 512;      ///< What it says it accepts; 0: says nothing.
  bool tells_residency = true;
  bool knows_no_wait = true;
  bool is_memory = false;  ///< As tmpfs: no disk below.
};

/// Files in memory behind spi::FileSystem, with a disk that loses what was not flushed when the power goes. Synchronous
/// calls take time through `pass_time`: the simulator moves its clock, a real Context sleeps. Thread safety: all
/// members.
class FileSystem final : public spi::FileSystem {
 public:
  struct OpenFile {
    std::shared_ptr<File> file;
    spi::FileOpenOptions options;
    bool gone = false;  ///< The machine that had it open lost its power.
  };

  FileSystem(std::shared_ptr<Fate> fate, const DiskModel& disk, std::function<void(std::uint64_t)> pass_time);

  Result<spi::FileHandle> open(const std::string& path, const spi::FileOpenOptions& options) override;
  void close(spi::FileHandle handle) override;
  Result<spi::FileAttributes> attributes(spi::FileHandle handle) override;
  std::int64_t read(spi::FileHandle handle, std::uint64_t offset, std::span<std::byte> memory, bool no_wait) override;
  std::int64_t write(spi::FileHandle handle, std::uint64_t offset, std::span<const std::byte> memory) override;
  int flush(spi::FileHandle handle) override;
  int truncate(spi::FileHandle handle, std::uint64_t size_bytes) override;
  int reserve(spi::FileHandle handle, std::uint64_t size_bytes) override;
  std::optional<std::uint64_t> resident(spi::FileHandle handle, std::uint64_t offset, std::uint64_t length) override;
  Result<std::byte*> map(spi::FileHandle handle, std::uint64_t offset, std::uint64_t length) override;
  void unmap(std::byte* base, std::uint64_t length) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;

  // For the queue.
  [[nodiscard]] std::shared_ptr<OpenFile> find(spi::FileHandle handle) const;
  [[nodiscard]] std::int64_t perform(const OpenFile& open, const spi::StorageOperation& operation);
  [[nodiscard]] const DiskModel& disk() const noexcept { return disk_; }
  [[nodiscard]] std::uint64_t duration_ns(std::uint64_t bytes);

  // For whoever plays with the machine. Paths name files as readers see them.
  [[nodiscard]] Status add(const std::string& path, std::span<const std::byte> contents);  ///< Durable at once.
  [[nodiscard]] bool exists(const std::string& path) const;
  [[nodiscard]] std::vector<std::byte> contents(const std::string& path) const;  ///< Empty if there is none.
  void cut(const std::string& path, std::uint64_t size_bytes);                   ///< As another process may.
  void set_resident(const std::string& path, bool resident);
  [[nodiscard]] std::size_t open_files() const;
  [[nodiscard]] std::size_t mappings() const;

  /// Calls that change something, so far.
  [[nodiscard]] std::uint64_t steps() const;
  /// The power goes in the middle of the `step`-th such call from now: it and everything after it fails with EIO.
  void cut_power_at(std::uint64_t step);
  /// The machine comes back with what its disk holds; what was open is gone.
  void restore_power();

 private:
  struct NameChange {
    std::string from;  ///< Goes; empty: nothing does.
    std::string to;    ///< Comes; empty: nothing does.
    std::shared_ptr<File> file;
  };
  using Names = std::map<std::string, std::shared_ptr<File>>;

  // With mutex_ held.
  [[nodiscard]] bool step();
  void change(const NameChange& change);
  static void apply(const NameChange& change, Names& names);
  [[nodiscard]] bool misaligned(const OpenFile& open, std::uint64_t offset, const std::byte* memory,
                                std::size_t bytes) const;
  [[nodiscard]] int refusal(const OpenFile& open, std::uint64_t offset, const std::byte* memory, std::size_t bytes);
  [[nodiscard]] std::size_t shorten(const OpenFile& open, std::size_t bytes);
  [[nodiscard]] std::int64_t read_bytes(const OpenFile& open, std::uint64_t offset, std::span<std::byte> memory);
  [[nodiscard]] std::int64_t write_bytes(const OpenFile& open, std::uint64_t offset, std::span<const std::byte> memory);
  [[nodiscard]] int flush_file(const OpenFile& open);
  [[nodiscard]] int resize(const OpenFile& open, std::uint64_t size_bytes);
  void scribble(std::span<std::byte> memory);

  const std::shared_ptr<Fate> fate_;
  const DiskModel disk_;
  const std::function<void(std::uint64_t)> pass_time_;
  mutable std::mutex mutex_;  ///< Guards what follows.
  Names names_;
  Names durable_names_;
  std::vector<NameChange> journal_;  ///< Changes of names that the disk may not have yet, in their order.
  std::map<spi::FileHandle, std::shared_ptr<OpenFile>> open_;
  std::map<std::byte*, std::uint64_t> mappings_;
  std::uint64_t next_inode_ = 1;
  std::uint64_t steps_ = 0;
  std::uint64_t power_ends_at_ = ~std::uint64_t{0};
  bool dead_ = false;
};

}  // namespace gpuio::sim
