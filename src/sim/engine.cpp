// SPDX-License-Identifier: Apache-2.0
#include "sim/engine.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "base/random.h"
#include "base/try.h"
#include "base/units.h"
#include "sim/queue.h"

namespace gpuio::sim {
namespace {

constexpr std::uint64_t kDefaultBytes = 16 * base::kMiB;
constexpr std::uint64_t kSleepNsMin = 20'000;  // below it a thread sleeps longer than asked

struct Parameters {
  std::uint64_t seed = 0;
  std::uint64_t size_bytes = kDefaultBytes;
  std::uint64_t latency_ns = DiskModel().latency_ns;
  double fault = 0;
};

template <class Number>
Result<Number> parse_number(const std::string& text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return Status(Code::invalid_argument, "not a number");
  return number;
}

/// True if `key` is one of ours.
Result<bool> take_parameter(const std::string& key, const std::string& value, Parameters& parameters) {
  if (key == "seed") {
    GPUIO_ASSIGN(parameters.seed, parse_number<std::uint64_t>(value));
  } else if (key == "size") {
    GPUIO_ASSIGN(parameters.size_bytes, base::parse_size(value));
  } else if (key == "latency") {
    GPUIO_ASSIGN(parameters.latency_ns, base::parse_duration(value));
  } else if (key == "fault") {
    GPUIO_ASSIGN(parameters.fault, parse_number<double>(value));
    if (!(parameters.fault >= 0 && parameters.fault <= 1)) return Status(Code::out_of_range, "a probability: 0 to 1");
  } else {
    return false;
  }
  return true;
}

Result<Parameters> take_parameters(const spi::Uri& uri, spi::Uri& rest) {
  Parameters parameters;
  rest.parameters.clear();
  for (const auto& [key, value] : uri.parameters) {
    Result<bool> ours = take_parameter(key, value, parameters);
    if (!ours) return std::move(ours).error().with("parameter", key).with("uri", uri.text);
    if (!*ours) rest.parameters.emplace_back(key, value);
  }
  return parameters;
}

std::vector<std::byte> contents_from(std::uint64_t seed, std::uint64_t bytes) {
  base::Random random(seed);
  std::vector<std::byte> contents(bytes);
  for (std::uint64_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random.next();
    std::memcpy(contents.data() + at, &word, std::min<std::uint64_t>(sizeof word, bytes - at));
  }
  return contents;
}

void sleep(std::uint64_t duration_ns) {
  if (duration_ns >= kSleepNsMin) std::this_thread::sleep_for(std::chrono::nanoseconds(duration_ns));
}

/// Each name is a machine of its own: disk, faults, and the real engine over them.
class Engine final : public spi::Engine {
 public:
  Engine(const spi::EngineHost& host, EngineMaker make) : host_(host), make_(std::move(make)) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "sim"; }
  [[nodiscard]] std::vector<std::string_view> schemes() const override { return {"sim"}; }
  [[nodiscard]] Result<std::shared_ptr<spi::Store>> open(const spi::Uri& uri, const OpenOptions& options) override;
  void register_memory(std::byte* /*base*/, std::size_t /*bytes*/) override {}
  void unregister_memory(std::byte* /*base*/) override {}
  [[nodiscard]] std::vector<Finding> diagnose() override { return {}; }
  std::uint64_t poll(std::uint64_t now_ns) override;

 private:
  Status add_machine(const spi::Uri& uri, const Parameters& parameters);

  spi::EngineHost host_;
  EngineMaker make_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<spi::Engine>> machines_;  ///< Guarded by mutex_; none ever goes.
};

Status Engine::add_machine(const spi::Uri& uri, const Parameters& parameters) {
  auto fate = std::make_shared<Fate>(parameters.seed);
  DiskModel disk;
  disk.latency_ns = parameters.latency_ns;
  disk.file_bytes_max = std::max(parameters.size_bytes * 2, kDefaultBytes);
  auto files = std::make_shared<FileSystem>(fate, disk, sleep);
  GPUIO_TRY(files->add(uri.path, contents_from(parameters.seed, parameters.size_bytes)));
  fate->set_plan(FaultPlan::uniform(parameters.fault));
  auto make_queue = [fate, files](spi::Executor& executor) -> std::unique_ptr<spi::StorageQueue> {
    return std::make_unique<Queue>(fate, files, executor.clock());
  };
  machines_.emplace(uri.path, make_(host_, {files, std::move(make_queue)}));
  return {};
}

Result<std::shared_ptr<spi::Store>> Engine::open(const spi::Uri& uri, const OpenOptions& options) {
  spi::Uri rest = uri;
  GPUIO_ASSIGN(const Parameters parameters, take_parameters(uri, rest));
  const std::lock_guard lock(mutex_);
  if (!machines_.contains(uri.path)) GPUIO_TRY(add_machine(uri, parameters));
  return machines_.at(uri.path)->open(rest, options);
}

std::uint64_t Engine::poll(std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  std::uint64_t next_ns = spi::kNever;
  for (const auto& [name, machine] : machines_) next_ns = std::min(next_ns, machine->poll(now_ns));
  return next_ns;
}

}  // namespace

std::unique_ptr<spi::Engine> make_engine(const spi::EngineHost& host, const EngineMaker& make) {
  return std::make_unique<Engine>(host, make);
}

}  // namespace gpuio::sim
