// SPDX-License-Identifier: Apache-2.0
#include "device/host/mark.h"

#include "device/host/stream.h"

namespace gpuio::host {

void Mark::reach(spi::Executor& executor) {
  std::vector<std::shared_ptr<Stream>> parked;
  {
    std::lock_guard lock(mutex_);
    reached_.store(1, std::memory_order_release);
    parked.swap(parked_);
  }
  executor.notify(reached_);
  for (const auto& stream : parked) stream->resume();
}

bool Mark::park(std::shared_ptr<Stream> stream) {
  std::lock_guard lock(mutex_);
  if (reached()) return false;
  parked_.push_back(std::move(stream));
  return true;
}

bool Mark::unpark(const Stream* stream) {
  std::lock_guard lock(mutex_);
  return std::erase_if(parked_, [&](const auto& parked) { return parked.get() == stream; }) != 0;
}

}  // namespace gpuio::host
