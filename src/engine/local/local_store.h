// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "core/spi/engine.h"
#include "engine/local/open_file.h"
#include "engine/local/residency_map.h"
#include "engine/local/store_file.h"

namespace gpuio::local {

class LocalEngine;

/// A file or block device. What is read and written through the page cache and around it stays coherent: the kernel
/// writes dirty pages back before a direct read and drops pages after a direct write, and buffered and direct writes of
/// ours never share a page.
class LocalStore final : public spi::Store {
 public:
  LocalStore(LocalEngine& engine, std::string uri, OpenedFile opened);
  ~LocalStore() override;
  LocalStore(const LocalStore&) = delete;
  LocalStore& operator=(const LocalStore&) = delete;

  [[nodiscard]] const std::string& uri() const noexcept override { return uri_; }
  [[nodiscard]] std::string_view engine() const noexcept override;
  [[nodiscard]] std::string_view tier() const noexcept override { return in_memory() ? "dram" : "nvme"; }
  [[nodiscard]] std::uint64_t size() const noexcept override { return file_.size(); }
  [[nodiscard]] bool writable() const noexcept override { return writable_; }
  [[nodiscard]] std::string explain() const override;
  [[nodiscard]] std::string_view way_name(spi::Way way) const noexcept override;
  [[nodiscard]] Result<Residency> residency(std::uint64_t offset, std::uint64_t length) override;

  [[nodiscard]] spi::Plan plan(spi::RunKind kind, std::uint64_t offset, std::uint64_t length, CacheUse cache) override;
  void start(spi::Run& run) override;
  void cancel(spi::Run& run) override;

  [[nodiscard]] Status read_now(const spi::Segment& segment) override;
  [[nodiscard]] Result<spi::Loan> lend(std::uint64_t offset, std::uint64_t length) override;
  void take_back(const spi::Loan& loan) override;
  [[nodiscard]] Status check_lent(std::uint64_t offset, std::uint64_t length) override;
  [[nodiscard]] Result<std::unique_ptr<spi::Mapping>> map(const spi::MapRange& range) override;
  [[nodiscard]] std::uint64_t identity() override;

  [[nodiscard]] Status flush() override;
  [[nodiscard]] Status commit() override;
  [[nodiscard]] Status truncate(std::uint64_t size_bytes) override;

 private:
  [[nodiscard]] bool in_memory() const noexcept { return file_.attributes().is_memory; }
  [[nodiscard]] spi::Plan direct_plan(std::uint64_t length, std::string_view reason) const;
  [[nodiscard]] spi::Plan plan_read(std::uint64_t offset, std::uint64_t length, CacheUse cache);
  [[nodiscard]] spi::Plan plan_write(std::uint64_t offset, std::uint64_t length, CacheUse cache);
  [[nodiscard]] ResidencyMap::Answer resident(std::uint64_t offset, std::uint64_t length);

  LocalEngine& engine_;
  std::string uri_;
  StoreFile file_;
  ResidencyMap residency_;
  std::string no_direct_;
  DirectUse direct_use_;
  bool writable_;
  std::mutex commit_mutex_;
  std::string target_;               // guarded by commit_mutex_; empty once it is in place
  std::atomic<bool> no_wait_{true};  // RWF_NOWAIT works here
  bool queued_ = false;              // the storage queue has seen the handles
};

}  // namespace gpuio::local
