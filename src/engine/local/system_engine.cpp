// SPDX-License-Identifier: Apache-2.0
#include "engine/local/system_engine.h"

#include <utility>

#include "base/log.h"
#include "engine/local/diagnosis.h"
#include "engine/local/posix_file_system.h"
#include "engine/local/thread_queue.h"
#include "engine/local/uring_queue.h"

namespace gpuio::local {

EngineOptions system_options() {
  EngineOptions options;
  options.files = make_posix_file_system();
  options.make_queue = choose_queue;
  options.diagnose = diagnose_system;
  return options;
}

QueueChoice choose_queue(spi::Executor& executor, spi::FileSystem& files, const LocalSettings& settings) {
  QueueChoice choice;
  if (settings.queue == LocalSettings::Queue::threads) {
    choice.reason = "local.engine is threads";
  } else {
    UringOptions options;
    options.depth = settings.queue_depth_max;
    options.single_thread = executor.workers() != 0;
    Result<std::unique_ptr<spi::StorageQueue>> queue = make_uring_queue(options);
    if (queue) {
      choice.queue = *std::move(queue);
      // Batches take a ring of the thread that runs the task: not of the caller's.
      choice.batches = executor.workers() != 0;
      return choice;
    }
    choice.reason = queue.error().to_string();
    const bool insisted = settings.queue == LocalSettings::Queue::uring;
    if (insisted) GPUIO_LOG(warn, "local", "local.engine is uring, but pool threads must do: " + choice.reason);
  }
  choice.batches = false;
  choice.queue = make_thread_queue(executor, files, settings.queue_depth_max);
  return choice;
}

}  // namespace gpuio::local
