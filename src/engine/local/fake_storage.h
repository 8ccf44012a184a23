// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/spi/executor.h"
#include "engine/local/local_engine.h"

/// A file system, a queue and an executor that do what a script says, on one thread.
namespace gpuio::local::testing {

class ManualClock final : public base::Clock {
 public:
  [[nodiscard]] std::uint64_t now_ns() const override { return now_; }
  std::uint64_t now_ = 1;
};

/// Tasks run when `turn` is called.
class ManualExecutor final : public spi::Executor {
 public:
  [[nodiscard]] base::Clock& clock() noexcept override { return clock_; }
  [[nodiscard]] unsigned workers() const noexcept override { return 3; }
  void post(spi::Task& task) override { tasks_.push_back(&task); }
  void attach(spi::Pollable& /*machine*/) override {}
  void detach(spi::Pollable& /*machine*/) override {}
  void wake() override { ++wakes; }
  bool wait(const std::atomic<std::uint32_t>& /*word*/, std::uint32_t /*value*/, std::uint64_t /*until*/) override {
    return false;
  }
  void notify(std::atomic<std::uint32_t>& /*word*/) override {}
  bool turn() override {
    if (tasks_.empty()) return false;
    spi::Task* task = tasks_.front();
    tasks_.pop_front();
    task->run();
    return true;
  }
  [[nodiscard]] int wake_fd() const noexcept override { return -1; }

  ManualClock clock_;
  std::deque<spi::Task*> tasks_;
  int wakes = 0;
};

/// One file in memory. Calls may be overruled: a hook gives the result instead (bytes moved at most, or -errno).
class FakeFileSystem final : public spi::FileSystem {
 public:
  using Hook = std::function<std::optional<std::int64_t>(std::uint64_t offset, std::size_t bytes)>;

  Result<spi::FileHandle> open(const std::string& path, const spi::FileOpenOptions& options) override {
    opened.push_back(path);
    if (options.direct && !offers_direct) return Status::from_errno(EINVAL, "can't open");
    return ++last_handle_;
  }
  void close(spi::FileHandle file) override { closed.push_back(file); }
  Result<spi::FileAttributes> attributes(spi::FileHandle /*file*/) override {
    spi::FileAttributes attributes;
    attributes.size_bytes = contents.size();
    attributes.is_regular = true;
    attributes.is_memory = in_memory;
    attributes.file_system = "fake";
    attributes.direct_memory_alignment = attributes.direct_offset_alignment = 512;
    attributes.version = version;
    return attributes;
  }
  std::int64_t read(spi::FileHandle /*file*/, std::uint64_t offset, std::span<std::byte> memory,
                    bool no_wait) override {
    if (no_wait && resident_bytes == 0) return -EAGAIN;
    std::size_t bytes = memory.size();
    if (!allow(on_read, offset, bytes)) return refusal_;
    if (offset >= contents.size()) return 0;
    bytes = std::min<std::size_t>(bytes, contents.size() - offset);
    std::memcpy(memory.data(), contents.data() + offset, bytes);
    return static_cast<std::int64_t>(bytes);
  }
  std::int64_t write(spi::FileHandle /*file*/, std::uint64_t offset, std::span<const std::byte> memory) override {
    std::size_t bytes = memory.size();
    if (!allow(on_write, offset, bytes)) return refusal_;
    if (offset + bytes > contents.size()) contents.resize(offset + bytes);
    std::memcpy(contents.data() + offset, memory.data(), bytes);
    return static_cast<std::int64_t>(bytes);
  }
  int flush(spi::FileHandle /*file*/) override { return ++flushes, flush_result; }
  int truncate(spi::FileHandle /*file*/, std::uint64_t size_bytes) override {
    contents.resize(size_bytes);
    return 0;
  }
  int reserve(spi::FileHandle /*file*/, std::uint64_t /*size_bytes*/) override { return -EOPNOTSUPP; }
  std::optional<std::uint64_t> resident(spi::FileHandle /*file*/, std::uint64_t /*offset*/,
                                        std::uint64_t length) override {
    ++resident_calls;
    return std::min<std::uint64_t>(resident_bytes, length);
  }
  Result<std::byte*> map(spi::FileHandle /*file*/, std::uint64_t /*offset*/, std::uint64_t /*length*/) override {
    return Status(Code::unsupported, "no pages here");
  }
  void unmap(std::byte* /*base*/, std::uint64_t /*length*/) override {}
  Status rename(const std::string& from, const std::string& to) override {
    renames.emplace_back(from, to);
    return {};
  }
  Status remove(const std::string& path) override {
    removed.push_back(path);
    return {};
  }

  std::vector<std::byte> contents;
  Hook on_read;
  Hook on_write;
  bool offers_direct = true;
  bool in_memory = false;
  std::uint64_t version = 1;
  std::uint64_t resident_bytes = 0;
  int resident_calls = 0;
  int flushes = 0;
  int flush_result = 0;
  std::vector<std::string> opened;
  std::vector<spi::FileHandle> closed;
  std::vector<std::pair<std::string, std::string>> renames;
  std::vector<std::string> removed;

 private:
  bool allow(const Hook& hook, std::uint64_t offset, std::size_t& bytes) {
    const std::optional<std::int64_t> verdict = hook ? hook(offset, bytes) : std::nullopt;
    if (!verdict) return true;
    refusal_ = *verdict;
    if (*verdict < 0) return false;
    bytes = std::min(bytes, static_cast<std::size_t>(*verdict));
    return true;
  }

  spi::FileHandle last_handle_ = 100;
  std::int64_t refusal_ = 0;
};

/// Holds operations until the test lets them happen, in any order.
class FakeQueue final : public spi::StorageQueue {
 public:
  explicit FakeQueue(spi::FileSystem& files) : files_(files) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "fake"; }
  [[nodiscard]] int wake_fd() const noexcept override { return -1; }
  std::size_t submit(std::span<const spi::StorageOperation> operations) override {
    ++submissions;
    const std::size_t taken = std::min(operations.size(), room);
    held.insert(held.end(), operations.begin(), operations.begin() + static_cast<std::ptrdiff_t>(taken));
    held_max = std::max(held_max, held.size());
    return taken;
  }
  std::size_t reap(std::span<spi::StorageResult> results) override {
    const std::size_t given = std::min(results.size(), completed_.size());
    std::copy_n(completed_.begin(), given, results.begin());
    completed_.erase(completed_.begin(), completed_.begin() + static_cast<std::ptrdiff_t>(given));
    return given;
  }
  void cancel(std::uint64_t cookie) override { cancelled.push_back(cookie); }
  void register_memory(std::byte* /*base*/, std::size_t /*bytes*/) override {}
  void unregister_memory(std::byte* /*base*/) override {}
  void forget(spi::FileHandle file) override { forgotten.push_back(file); }

  /// Does the `index`-th held operation.
  void perform(std::size_t index) {
    const spi::StorageOperation operation = held[index];
    std::int64_t result = 0;
    switch (operation.kind) {
      case spi::StorageOperation::Kind::read:
        result = files_.read(operation.file, operation.offset, {operation.memory, operation.bytes}, false);
        break;
      case spi::StorageOperation::Kind::write:
        result = files_.write(operation.file, operation.offset, {operation.memory, operation.bytes});
        break;
      case spi::StorageOperation::Kind::flush:
        result = files_.flush(operation.file);
        break;
    }
    complete(index, result);
  }
  void complete(std::size_t index, std::int64_t result) {
    completed_.push_back({held[index].cookie, result});
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(index));
  }

  std::vector<spi::StorageOperation> held;
  std::size_t held_max = 0;
  std::size_t room = 1000;
  int submissions = 0;
  std::vector<std::uint64_t> cancelled;
  std::vector<spi::FileHandle> forgotten;

 private:
  spi::FileSystem& files_;
  std::vector<spi::StorageResult> completed_;
};

}  // namespace gpuio::local::testing
