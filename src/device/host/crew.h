// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/spi/executor.h"
#include "device/host/operation.h"

namespace gpuio::host {

class Stream;

/// One large operation cut into parts that pool workers take one after another. Nobody waits: whoever finishes the last
/// part continues the stream. A helper that starts late finds no part left and goes away.
class Crew : public std::enable_shared_from_this<Crew> {
 public:
  Crew(Operation operation, std::uint64_t parts, std::shared_ptr<Stream> stream)
      : operation_(std::move(operation)), parts_(parts), stream_(std::move(stream)) {}

  /// How many parts are worth while: 1 where the operation is small, or nothing but the caller runs it.
  [[nodiscard]] static std::uint64_t parts_for(const Operation& operation, unsigned workers);
  /// Does one part of an operation that moves bytes.
  static void run_part(const Operation& operation, std::uint64_t part, std::uint64_t parts);

  /// Posts helpers and takes part. True if the operation is finished; otherwise a helper will continue the stream,
  /// which the caller must not touch any more.
  [[nodiscard]] static bool run(const std::shared_ptr<Crew>& crew, spi::Executor& executor);

 private:
  class Helper;
  bool work();  ///< Takes parts until none is left; true if it finished the last one.

  Operation operation_;
  std::uint64_t parts_;
  std::shared_ptr<Stream> stream_;
  std::atomic<std::uint64_t> next_{0};
  std::atomic<std::uint64_t> done_{0};
};

}  // namespace gpuio::host
