// SPDX-License-Identifier: Apache-2.0
// One counter of steps that host threads and kernels raise at the same time, by whichever atomic operations are legal:
// the device's own, or those of the host on its behalf.
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>

#include "gpuio/gpuio.hpp"

namespace {

constexpr std::uint64_t kKernelSteps = 2'000;
constexpr std::uint64_t kThreadSteps = 50'000;

/// Host memory that kernels of `device` reach too, with `count` values of `T`.
template <class T>
gpuio::Buffer shared(const gpuio::Device& device, std::uint64_t count, T value) {
  gpuio::Buffer buffer = device.allocate(count * sizeof(T), {.kind = gpuio::RegionKind::pinned}).value();
  const gpuio::Pin pin = gpuio::Slice(buffer).pin().value();
  for (T& element : gpuio::view<T>(pin).value().span()) element = value;
  return buffer;
}

}  // namespace

int main() try {
  const gpuio::Context io = gpuio::Context::create().value();
  const gpuio::Device device = io.device("auto").value();

  const gpuio::Buffer counter = shared<std::uint64_t>(device, 1, 0);
  const gpuio::Buffer ones = shared<std::uint64_t>(device, kKernelSteps, 1);
  const gpuio::Buffer which = shared<std::uint32_t>(device, kKernelSteps, 0);  // All of them step the same counter.
  const gpuio::Buffer status = shared<std::uint32_t>(device, 1, 0);
  const gpuio::Pin counter_pin = gpuio::Slice(counter).pin().value();
  const gpuio::Pin ones_pin = gpuio::Slice(ones).pin().value();
  const gpuio::Pin which_pin = gpuio::Slice(which).pin().value();
  const gpuio::Pin status_pin = gpuio::Slice(status).pin().value();

  const gpuio::DelegatedAtomics delegate = gpuio::DelegatedAtomics::create(io, device, counter).value();
  const gpuio::Capability native =
      gpuio::Slice(counter).atomics(gpuio::Processor::device, gpuio::dev::Scope::process, 64);
  std::printf("%s: atomics that host code sees too: %s\n", std::string(device.name()).c_str(),
              native ? "its own" : native.reason.c_str());

  gpuio::UpdateLaunch steps;
  steps.count = kKernelSteps;
  steps.ids = &which_pin;
  steps.operands = &ones_pin;
  steps.status = &status_pin;
  if (native) {
    steps.words = &counter_pin;
  } else {
    steps.delegate = &delegate;
  }
  const gpuio::Stream stream = device.create_stream().value();
  gpuio::throw_if_failed(gpuio::launch_update(stream, steps));

  const gpuio::View<std::uint64_t> counted = gpuio::view<std::uint64_t>(counter_pin).value();
  {
    const auto count = [counted] {
      for (std::uint64_t i = 0; i < kThreadSteps; ++i) counted.atomic(0).fetch_add(1, gpuio::dev::Order::relaxed);
    };
    const std::jthread one(count);
    const std::jthread another(count);
  }
  gpuio::throw_if_failed(stream.synchronize());

  const std::uint64_t total = counted.atomic(0).load();
  const bool all_done = gpuio::view<std::uint32_t>(status_pin).value().load(0) == 0;
  std::printf("%llu steps\n", static_cast<unsigned long long>(total));
  return all_done && total == kKernelSteps + 2 * kThreadSteps ? 0 : 1;
} catch (const gpuio::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
