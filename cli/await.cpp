// SPDX-License-Identifier: Apache-2.0
#include "cli/await.h"

#include <array>

#include <poll.h>

#include "cli/workers.h"

namespace gpuio::cli {

void await(const Request& request, const Interrupt& interrupt, const std::function<void(const Progress&)>& tick) {
  if (!request.done()) {
    const int finished = request.event_fd().value();
    while (!request.done()) {
      std::array<pollfd, 2> wakers{
          {{.fd = finished, .events = POLLIN, .revents = 0}, {.fd = interrupt.fd(), .events = POLLIN, .revents = 0}}};
      ::poll(wakers.data(), wakers.size(), static_cast<int>(kTick.count()));
      if (interrupt.raised()) {
        request.cancel();
        break;
      }
      if (tick) tick(request.progress());
    }
  }
  interrupt.check();
  throw_if_failed(request.wait());
  if (tick) tick(request.progress());
}

}  // namespace gpuio::cli
