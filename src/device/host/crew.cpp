// SPDX-License-Identifier: Apache-2.0
#include "device/host/crew.h"

#include <algorithm>
#include <cstring>

#include "base/align.h"
#include "device/host/stream.h"

namespace gpuio::host {
namespace {

// Small enough that the parts of one copy keep a pool busy to the end, large enough that taking one costs nothing.
constexpr std::uint64_t kPartBytes = 1 << 20;

std::uint64_t bytes_of(const Operation& operation) {
  if (const auto* copy = std::get_if<CopyOperation>(&operation)) return copy->list->bytes();
  if (const auto* fill = std::get_if<FillOperation>(&operation)) return fill->bytes;
  if (const auto* kernel = std::get_if<KernelOperation>(&operation)) {
    return kernel->kernel->bytes(kernel->arguments.data());
  }
  return 0;
}

std::uint64_t share(std::uint64_t bytes, std::uint64_t part, std::uint64_t parts) {
  return std::min(bytes, base::divide_up(bytes, parts) * part);
}

}  // namespace

class Crew::Helper final : public spi::Task {
 public:
  explicit Helper(std::shared_ptr<Crew> crew) : crew_(std::move(crew)) {}
  void run() override {
    const std::unique_ptr<Helper> self(this);
    if (crew_->work()) crew_->stream_->finish_operation();
  }

 private:
  std::shared_ptr<Crew> crew_;
};

std::uint64_t Crew::parts_for(const Operation& operation, unsigned workers) {
  if (workers < 2) return 1;
  return std::max<std::uint64_t>(1, bytes_of(operation) / kPartBytes);
}

void Crew::run_part(const Operation& operation, std::uint64_t part, std::uint64_t parts) {
  if (const auto* copy = std::get_if<CopyOperation>(&operation)) {
    const std::uint64_t bytes = copy->list->bytes();
    copy->list->copy(share(bytes, part, parts), share(bytes, part + 1, parts));
  } else if (const auto* fill = std::get_if<FillOperation>(&operation)) {
    const std::uint64_t begin = share(fill->bytes, part, parts);
    std::memset(fill->memory + begin, std::to_integer<int>(fill->value), share(fill->bytes, part + 1, parts) - begin);
  } else if (const auto* kernel = std::get_if<KernelOperation>(&operation)) {
    kernel->kernel->run(kernel->arguments.data(), part, parts);
  }
}

bool Crew::run(const std::shared_ptr<Crew>& crew, spi::Executor& executor) {
  const std::uint64_t helpers = std::min<std::uint64_t>(executor.workers(), crew->parts_) - 1;
  for (std::uint64_t i = 0; i < helpers; ++i) executor.post(*std::make_unique<Helper>(crew).release());
  return crew->work();
}

bool Crew::work() {
  bool finished_last = false;
  for (std::uint64_t part = 0; (part = next_.fetch_add(1, std::memory_order_relaxed)) < parts_;) {
    run_part(operation_, part, parts_);
    finished_last = done_.fetch_add(1, std::memory_order_acq_rel) + 1 == parts_;
  }
  return finished_last;
}

}  // namespace gpuio::host
