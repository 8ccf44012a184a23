// SPDX-License-Identifier: Apache-2.0
#include "sim/queue.h"

#include <algorithm>
#include <cerrno>

namespace gpuio::sim {

std::size_t Queue::submit(std::span<const spi::StorageOperation> operations) {
  if (!operations.empty() && fate_->strikes(Fault::queue_full)) {
    operations = operations.first(fate_->uniform(operations.size()));
  }
  const std::uint64_t now = clock_.now_ns();
  for (const spi::StorageOperation& operation : operations) {
    // The channel takes one operation's bytes after the other's; their latencies overlap.
    busy_until_ns_ =
        std::max(busy_until_ns_, now) + operation.bytes * 1'000'000'000ULL / files_->disk().bytes_per_second;
    std::uint64_t due_ns = busy_until_ns_ + files_->duration_ns(0);
    if (fate_->strikes(Fault::stuck)) due_ns += files_->disk().stuck_ns;
    pending_.push_back({operation, files_->find(operation.file), due_ns, false});
  }
  return operations.size();
}

std::size_t Queue::reap(std::span<spi::StorageResult> results) {
  const std::uint64_t now = clock_.now_ns();
  std::size_t count = 0;
  for (std::size_t i = 0; i < pending_.size() && count < results.size();) {
    if (pending_[i].due_ns > now) {
      ++i;
      continue;
    }
    results[count++] = {pending_[i].operation.cookie, complete(pending_[i])};
    pending_[i] = std::move(pending_.back());
    pending_.pop_back();
  }
  return count;
}

std::int64_t Queue::complete(const Pending& pending) {
  if (pending.file == nullptr) return -EBADF;
  // Whether it happened all the same is not known to whoever cancels.
  if (pending.cancelled && fate_->chance(0.5)) return -ECANCELED;
  const std::int64_t result = files_->perform(*pending.file, pending.operation);
  return pending.cancelled && fate_->chance(0.5) ? -ECANCELED : result;
}

void Queue::cancel(std::uint64_t cookie) {
  const auto found = std::ranges::find(pending_, cookie, [](const Pending& p) { return p.operation.cookie; });
  if (found == pending_.end() || fate_->strikes(Fault::cancel_ignored)) return;
  found->cancelled = true;
  found->due_ns = std::min(found->due_ns, clock_.now_ns() + files_->disk().latency_ns);
}

}  // namespace gpuio::sim
