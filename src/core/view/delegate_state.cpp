// SPDX-License-Identifier: Apache-2.0
#include "core/view/delegate_state.h"

#include <bit>
#include <cstring>
#include <utility>

#include "base/scope_exit.h"
#include "base/try.h"
#include "core/context_state.h"
#include "core/memory/region.h"
#include "core/view/atomics.h"

namespace gpuio {
namespace core {
namespace {

constexpr std::uint32_t kSlotsMax = 65536;
constexpr std::uint32_t kQueuesMax = 1024;

Status check(const DelegateOptions& options) {
  const auto bad = [](std::string_view field, std::string_view why) {
    return Status(Code::invalid_argument, "DelegateOptions::" + std::string(field) + ": " + std::string(why));
  };
  if (options.queues == 0 || options.queues > kQueuesMax) return bad("queues", "not from 1 to 1024");
  if (!std::has_single_bit(options.slots) || options.slots < dev::kSlotsMin || options.slots > kSlotsMax) {
    return bad("slots", "no power of two from 64 to 65536");
  }
  if (options.timeout <= std::chrono::nanoseconds(0)) return bad("timeout", "not positive");
  return {};
}

Status check_words(const Resolved& words) {
  const Capability host = atomics_on(words, {Processor::host, dev::Scope::process, 64});
  if (!host) return Status(Code::invalid_argument, "words: " + host.reason);
  if (words.bytes > dev::tag::kOffsetMax) {
    return Status(Code::invalid_argument, "words: too many").with("bytes_max", dev::tag::kOffsetMax);
  }
  return {};
}

Status zero(spi::Device& device, std::byte* memory, std::uint64_t bytes) {
  GPUIO_ASSIGN(const spi::StreamHandle stream, device.create_stream());
  const base::ScopeExit destroy([&] { (void)device.destroy_stream(stream); });
  GPUIO_TRY(device.fill(stream, memory, std::byte{0}, bytes));
  return device.synchronize(stream);
}

}  // namespace

Result<std::shared_ptr<DelegateState>> DelegateState::create(const Context& context, const Device& caller,
                                                             const Slice& words, const DelegateOptions& options) {
  GPUIO_TRY(check(options));
  GPUIO_ASSIGN(const Resolved resolved, Region::resolve(words));
  GPUIO_TRY(check_words(resolved));
  std::shared_ptr<DelegateState> state(new DelegateState(context));
  GPUIO_TRY(state->allocate(caller, options));
  spi::Executor& executor = context.state()->executor();
  if (executor.workers() == 0 && state->caller_->memory_is_host()) {
    return Status(Code::unsupported, "with Drive::caller a kernel of the host device would wait for its own thread");
  }
  GPUIO_ASSIGN(state->words_, words.pin());
  state->ring_.words_bytes = resolved.bytes;
  state->server_ = std::make_unique<DelegateServer>(resolved.address, state->ring_);
  executor.attach(*state->server_);
  return state;
}

Status DelegateState::allocate(const Device& caller, const DelegateOptions& options) {
  const std::uint64_t slots = std::uint64_t{options.queues} * options.slots;
  const std::uint64_t own_bytes = dev::kOwnLineBytes + options.queues * dev::DelegateQueue::own_bytes(options.slots);
  GPUIO_ASSIGN(shared_, caller.allocate(3 * slots * sizeof(dev::TaggedWord), {.kind = RegionKind::pinned}));
  GPUIO_ASSIGN(own_, caller.allocate(own_bytes));
  GPUIO_ASSIGN(const Resolved own, Region::resolve(own_));
  caller_ = own.region->device_pointer();
  std::memset(shared_.data(), 0, shared_.size());
  GPUIO_TRY(zero(*caller_, own.address, own.bytes));
  ring_.shared = reinterpret_cast<dev::TaggedWord*>(shared_.data());
  ring_.own = own.address;
  ring_.timeout_ns = static_cast<std::uint64_t>(options.timeout.count());
  ring_.queues = options.queues;
  ring_.slots = options.slots;
  return {};
}

DelegateState::~DelegateState() {
  if (server_ != nullptr) context_.state()->executor().detach(*server_);
}

}  // namespace core

Result<DelegatedAtomics> DelegatedAtomics::create(const Context& context, const Device& caller, const Slice& words,
                                                  const DelegateOptions& options) {
  GPUIO_ASSIGN(std::shared_ptr<core::DelegateState> state,
               core::DelegateState::create(context, caller, words, options));
  return DelegatedAtomics(std::move(state));
}

const dev::DelegateRing& DelegatedAtomics::ring() const noexcept { return state_->ring(); }

DelegateStatistics DelegatedAtomics::statistics() const noexcept {
  return {state_->server().served(), state_->server().refused()};
}

}  // namespace gpuio
