// SPDX-License-Identifier: Apache-2.0
#include "gpuio/stream.hpp"

#include "base/try.h"
#include "core/device_state.h"

namespace gpuio {

Result<bool> Event::finished() const { return state_->device().finished(state_->handle()); }
Status Event::synchronize() const { return state_->device().synchronize_event(state_->handle()); }

Status Graph::launch(const Stream& stream) const {
  if (&stream.state()->device() != &state_->device()) {
    return Status(Code::invalid_argument, "the Graph was captured on another device");
  }
  return state_->device().launch_graph(state_->handle(), stream.state()->handle());
}

void* Stream::native() const noexcept { return state_->device().native(state_->handle()); }

Result<Event> Stream::record() const {
  GPUIO_ASSIGN(spi::EventHandle handle, state_->device().create_event());
  auto event = std::make_shared<core::EventState>(state_->device_pointer(), handle);
  GPUIO_TRY(state_->device().record(handle, state_->handle()));
  return Event(std::move(event));
}

Status Stream::wait(const Event& event) const {
  return state_->device().wait(state_->handle(), event.state_->handle());
}
Status Stream::synchronize() const { return state_->device().synchronize(state_->handle()); }
Status Stream::begin_capture() const { return state_->device().begin_capture(state_->handle()); }

Result<Graph> Stream::end_capture() const {
  GPUIO_ASSIGN(spi::GraphHandle handle, state_->device().end_capture(state_->handle()));
  return Graph(std::make_shared<core::GraphState>(state_->device_pointer(), handle));
}

}  // namespace gpuio
