// SPDX-License-Identifier: Apache-2.0
// Gradients of an embedding table added up by kernels: each sample adds to the rows it used, and popular rows are used
// by many samples at once. Device-scope atomics in the device's own memory; the optimiser then reads the sums.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "gpuio/gpuio.hpp"

namespace {

constexpr std::uint64_t kRows = 1000;
constexpr std::uint64_t kColumns = 16;
constexpr std::uint64_t kSamples = 4096;

/// These values in memory of the device.
template <class T>
gpuio::Buffer upload(const gpuio::Context& io, const gpuio::Device& device, const std::vector<T>& values) {
  const gpuio::Buffer staged = io.device("host").value().allocate(values.size() * sizeof(T)).value();
  std::memcpy(staged.data(), values.data(), staged.size());
  gpuio::Buffer memory = device.allocate(staged.size()).value();
  gpuio::throw_if_failed(io.copy(staged, memory).value().wait());
  return memory;
}

/// What lies in a Buffer, on the host.
template <class T>
std::vector<T> download(const gpuio::Context& io, const gpuio::Buffer& memory) {
  const gpuio::Buffer staged = io.device("host").value().allocate(memory.size()).value();
  gpuio::throw_if_failed(io.copy(memory, staged).value().wait());
  std::vector<T> values(memory.size() / sizeof(T));
  std::memcpy(values.data(), staged.data(), memory.size());
  return values;
}

}  // namespace

int main() try {
  const gpuio::Context io = gpuio::Context::create().value();
  const gpuio::Device device = io.device("auto").value();

  // Sample s uses row s^2 mod rows: some rows often, some never. Halves add up exactly, so sums can be compared.
  std::vector<std::uint32_t> words;
  std::vector<float> gradients;
  std::vector<float> expected(kRows * kColumns);
  for (std::uint64_t sample = 0; sample < kSamples; ++sample) {
    for (std::uint64_t column = 0; column < kColumns; ++column) {
      const std::uint64_t word = sample * sample % kRows * kColumns + column;
      words.push_back(static_cast<std::uint32_t>(word));
      gradients.push_back(0.5F * static_cast<float>(column + 1));
      expected[word] += gradients.back();
    }
  }

  const gpuio::Buffer sums = upload(io, device, std::vector<float>(kRows * kColumns));
  const gpuio::Buffer device_words = upload(io, device, words);
  const gpuio::Buffer device_gradients = upload(io, device, gradients);
  const gpuio::Buffer status = upload(io, device, std::vector<std::uint32_t>(1));
  const gpuio::Pin sums_pin = gpuio::Slice(sums).pin().value();
  const gpuio::Pin words_pin = gpuio::Slice(device_words).pin().value();
  const gpuio::Pin gradients_pin = gpuio::Slice(device_gradients).pin().value();
  const gpuio::Pin status_pin = gpuio::Slice(status).pin().value();

  gpuio::UpdateLaunch accumulate;
  accumulate.words = &sums_pin;
  accumulate.type = gpuio::ValueType::f32;
  accumulate.op = gpuio::AtomicOp::add;
  accumulate.scope = gpuio::dev::Scope::device;
  accumulate.count = words.size();
  accumulate.ids = &words_pin;
  accumulate.operands = &gradients_pin;
  accumulate.status = &status_pin;

  // A training step is the same every time: recorded once, replayed for each.
  const gpuio::Stream stream = device.create_stream().value();
  gpuio::throw_if_failed(stream.begin_capture());
  gpuio::throw_if_failed(gpuio::launch_update(stream, accumulate));
  const gpuio::Graph step = stream.end_capture().value();
  constexpr int kSteps = 3;
  for (int i = 0; i < kSteps; ++i) gpuio::throw_if_failed(step.launch(stream));
  gpuio::throw_if_failed(stream.synchronize());

  const std::vector<float> got = download<float>(io, sums);
  bool right = download<std::uint32_t>(io, status).front() == 0;
  for (std::size_t i = 0; i < got.size(); ++i) right = right && got[i] == kSteps * expected[i];
  std::printf("%llu gradients added to %llu rows on %s: %s\n", static_cast<unsigned long long>(kSteps) * words.size(),
              static_cast<unsigned long long>(kRows), std::string(device.name()).c_str(), right ? "right" : "wrong");
  return right ? 0 : 1;
} catch (const gpuio::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
