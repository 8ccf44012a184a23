// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/spi/engine.h"
#include "core/spi/storage.h"
#include "engine/local/local_settings.h"
#include "engine/local/pool_mover.h"
#include "engine/local/queue_mover.h"

namespace gpuio::local {

/// A storage queue, and why it is this one.
struct QueueChoice {
  std::unique_ptr<spi::StorageQueue> queue;
  std::string reason;   ///< Empty if it is the best there is.
  bool batches = true;  ///< FileSystem::read_many may be used.
};
using QueueFactory = std::function<QueueChoice(spi::Executor&, spi::FileSystem&, const LocalSettings&)>;

/// What an engine is made over. The simulator passes its own files and queue, and meets the same code.
struct EngineOptions {
  std::vector<std::string_view> schemes{"file"};
  std::shared_ptr<spi::FileSystem> files;
  QueueFactory make_queue;
  std::function<std::vector<Finding>(const QueueChoice&)> diagnose;  ///< May be empty.
};

/// The executor must outlive the engine, and every run be finished before it is destroyed.
[[nodiscard]] std::unique_ptr<spi::Engine> make_engine(spi::EngineHost host, EngineOptions options);

class LocalEngine final : public spi::Engine {
 public:
  LocalEngine(spi::EngineHost host, EngineOptions options);

  [[nodiscard]] std::string_view name() const noexcept override { return "local"; }
  [[nodiscard]] std::vector<std::string_view> schemes() const override { return options_.schemes; }
  [[nodiscard]] Result<std::shared_ptr<spi::Store>> open(const spi::Uri& uri, const OpenOptions& options) override;
  void register_memory(std::byte* base, std::size_t bytes) override { choice_.queue->register_memory(base, bytes); }
  void unregister_memory(std::byte* base) override { choice_.queue->unregister_memory(base); }
  [[nodiscard]] std::vector<Finding> diagnose() override;
  std::uint64_t poll(std::uint64_t now_ns) override;
  [[nodiscard]] int wake_fd() const noexcept override { return choice_.queue->wake_fd(); }

  // For its stores.
  [[nodiscard]] spi::FileSystem& files() noexcept { return *options_.files; }
  [[nodiscard]] const LocalSettings& settings() const noexcept { return settings_; }
  [[nodiscard]] base::Clock& clock() noexcept { return executor_.clock(); }
  [[nodiscard]] std::string queue_text() const;
  [[nodiscard]] PoolMover& pool_mover() noexcept { return pool_mover_; }
  [[nodiscard]] const QueueMover& queue_mover() const noexcept { return queue_mover_; }
  void start_queued(spi::Run& run, StoreFile& file);
  void cancel(spi::Run& run);
  /// Any thread. `queued`: the storage queue has seen the handle and is told to forget it.
  void close(spi::FileHandle file, bool queued);

 private:
  void forget_closed();

  spi::Executor& executor_;
  EngineOptions options_;
  LocalSettings settings_;
  QueueChoice choice_;
  PoolMover pool_mover_;
  QueueMover queue_mover_;
  bool polling_ = false;
  std::atomic<bool> has_closed_{false};
  std::mutex closed_mutex_;
  std::vector<spi::FileHandle> closed_;  // guarded by closed_mutex_
};

}  // namespace gpuio::local
