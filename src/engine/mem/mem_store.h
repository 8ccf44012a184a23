// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "core/mapping/descriptor_mapping.h"
#include "core/memory/memory_mover.h"
#include "core/spi/engine.h"
#include "engine/mem/opened_memory.h"

namespace gpuio::mem {

class Window;

/// Memory as a store: read and written by copies of the pool's workers, mapped as it is.
class MemStore final : public spi::Store {
 public:
  /// Fails as core::DescriptorMapping::create.
  static Result<std::shared_ptr<MemStore>> create(spi::Executor& executor, std::string uri, OpenedMemory memory);
  ~MemStore() override;
  MemStore(const MemStore&) = delete;
  MemStore& operator=(const MemStore&) = delete;

  [[nodiscard]] const std::string& uri() const noexcept override { return uri_; }
  [[nodiscard]] std::string_view engine() const noexcept override { return "mem"; }
  [[nodiscard]] std::string_view tier() const noexcept override { return memory_.tier; }
  [[nodiscard]] std::uint64_t size() const noexcept override { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool writable() const noexcept override { return memory_.writable; }
  [[nodiscard]] std::string explain() const override { return "pool threads; " + memory_.made_of; }
  [[nodiscard]] std::string_view way_name(spi::Way) const noexcept override { return "memory"; }
  [[nodiscard]] Result<Residency> residency(std::uint64_t offset, std::uint64_t length) override;

  [[nodiscard]] spi::Plan plan(spi::RunKind kind, std::uint64_t offset, std::uint64_t length, CacheUse cache) override;
  void start(spi::Run& run) override;
  void cancel(spi::Run&) override {}  // copies end by themselves, and soon

  [[nodiscard]] Status read_now(const spi::Segment& segment) override;
  [[nodiscard]] Result<spi::Loan> lend(std::uint64_t offset, std::uint64_t length) override;
  void take_back(const spi::Loan& loan) override;
  [[nodiscard]] Status check_lent(std::uint64_t offset, std::uint64_t length) override;
  [[nodiscard]] Result<std::unique_ptr<spi::Mapping>> map(const spi::MapRange& range) override;
  /// Loads and stores leave no trace that would tell.
  [[nodiscard]] std::uint64_t identity() override { return 0; }

  [[nodiscard]] Status flush() override { return {}; }  // what was written is where it stays
  [[nodiscard]] Status commit() override { return {}; }
  [[nodiscard]] Status truncate(std::uint64_t size_bytes) override;

 private:
  MemStore(spi::Executor& executor, std::string uri, OpenedMemory memory);
  /// Its memory as a mapping needs to know it.
  [[nodiscard]] Result<core::MappedFile> mapped_file() const;
  /// Has pages of the range come from the node that was asked for.
  [[nodiscard]] Status place(std::byte* base, std::uint64_t bytes) const;
  [[nodiscard]] Result<std::shared_ptr<Window>> make_window();
  /// The window that runs see now: never one that lost bytes.
  [[nodiscard]] Result<std::shared_ptr<Window>> window();
  [[nodiscard]] Status grow_to(std::uint64_t end);
  [[nodiscard]] Status prepare(const spi::Run& run);

  const std::string uri_;
  const OpenedMemory memory_;
  const core::MemoryMover mover_;
  std::atomic<std::uint64_t> size_;
  std::mutex mutex_;
  std::shared_ptr<Window> window_;  // guarded by mutex_
};

}  // namespace gpuio::mem
