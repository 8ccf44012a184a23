// SPDX-License-Identifier: Apache-2.0
#include "engine/local/local_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "engine/local/local_store.h"
#include "engine/local/open_file.h"

namespace gpuio::local {

LocalEngine::LocalEngine(spi::EngineHost host, EngineOptions options)
    : executor_(host.executor),
      options_(std::move(options)),
      settings_(read_settings(host.settings)),
      choice_(options_.make_queue(executor_, *options_.files, settings_)),
      pool_mover_(executor_, *options_.files, {settings_.fill_threads, choice_.batches}),
      queue_mover_(*choice_.queue, settings_.queue_depth_max, settings_.read_bytes_max) {}

Result<std::shared_ptr<spi::Store>> LocalEngine::open(const spi::Uri& uri, const OpenOptions& options) {
  GPUIO_ASSIGN(OpenedFile file, open_file(files(), uri, options, settings(), clock().now_ns()));
  return std::shared_ptr<spi::Store>(std::make_shared<LocalStore>(*this, uri.text, std::move(file)));
}

std::vector<Finding> LocalEngine::diagnose() {
  return options_.diagnose ? options_.diagnose(choice_) : std::vector<Finding>();
}

std::string LocalEngine::queue_text() const {
  if (choice_.reason.empty()) return std::string(choice_.queue->name());
  return fmt::format("{} ({})", choice_.queue->name(), choice_.reason);
}

void LocalEngine::start_queued(spi::Run& run, StoreFile& file) {
  if (has_closed_.load(std::memory_order_acquire)) forget_closed();
  queue_mover_.start(run, file);
  // From within our own poll the run is seen in this very turn.
  if (!polling_) executor_.wake();
}

void LocalEngine::cancel(spi::Run& run) {
  auto* job = static_cast<Job*>(run.engine_data);
  if (job == nullptr || !job->carries(run)) return;
  const bool queued = run.kind == spi::RunKind::flush || run.way != spi::Way::cached;
  if (!queued) return job->cancel();
  queue_mover_.cancel(*job);
  if (!polling_) executor_.wake();
}

std::uint64_t LocalEngine::poll(std::uint64_t now_ns) {
  polling_ = true;
  if (has_closed_.load(std::memory_order_acquire)) forget_closed();
  const std::uint64_t next_ns = queue_mover_.poll(now_ns);
  polling_ = false;
  return next_ns;
}

void LocalEngine::close(spi::FileHandle file, bool queued) {
  if (!queued) return files().close(file);
  {
    const std::lock_guard lock(closed_mutex_);
    closed_.push_back(file);
    has_closed_.store(true, std::memory_order_release);
  }
  // After the note: once closed, the number may come back as another file's, and start_queued must know by then.
  files().close(file);
  executor_.wake();
}

void LocalEngine::forget_closed() {
  const std::lock_guard lock(closed_mutex_);
  for (const spi::FileHandle file : closed_) choice_.queue->forget(file);
  closed_.clear();
  has_closed_.store(false, std::memory_order_relaxed);
}

std::unique_ptr<spi::Engine> make_engine(spi::EngineHost host, EngineOptions options) {
  return std::make_unique<LocalEngine>(host, std::move(options));
}

}  // namespace gpuio::local
