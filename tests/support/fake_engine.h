// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/spi/engine.h"

namespace gpuio::tests {

/// A store whose behaviour a test writes: bytes in memory, answered at once or when the test says so, failed by script.
/// Thread safety: all members that tests call, any thread.
class FakeStore final : public spi::Store {
 public:
  struct Behaviour {
    std::uint64_t size_bytes = 0;
    bool writable = true;
    spi::Way way = spi::Way::cached;
    std::uint32_t alignment = 1;
    bool copies_bytes = true;   ///< Off: moves nothing, for measuring the core alone.
    bool readable_now = false;  ///< read_now succeeds.
    bool lendable = false;
    std::string_view tier = "nvme";
  };

  FakeStore(std::string uri, const Behaviour& behaviour);

  /// While held, runs stay with the engine until `release`.
  void hold();
  void release();
  [[nodiscard]] std::size_t held() const;

  /// Asked for each segment of each run: ok, or what to fail it with.
  void set_script(std::function<Status(const spi::Run&, const spi::Segment&)> script);
  [[nodiscard]] std::vector<std::byte>& bytes() noexcept { return bytes_; }
  [[nodiscard]] std::vector<std::size_t> segments_per_run() const;

  [[nodiscard]] const std::string& uri() const noexcept override { return uri_; }
  [[nodiscard]] std::string_view engine() const noexcept override { return "fake"; }
  [[nodiscard]] std::string_view tier() const noexcept override { return behaviour_.tier; }
  [[nodiscard]] std::uint64_t size() const noexcept override { return behaviour_.size_bytes; }
  [[nodiscard]] bool writable() const noexcept override { return behaviour_.writable; }
  [[nodiscard]] std::string explain() const override { return "fake"; }
  [[nodiscard]] Result<Residency> residency(std::uint64_t, std::uint64_t length) override {
    return Residency{0, length};
  }
  [[nodiscard]] spi::Plan plan(spi::RunKind kind, std::uint64_t offset, std::uint64_t length, CacheUse cache) override;
  void start(spi::Run& run) override;
  void cancel(spi::Run& run) override;
  [[nodiscard]] Status read_now(const spi::Segment& segment) override;
  [[nodiscard]] Result<spi::Loan> lend(std::uint64_t offset, std::uint64_t length) override;
  void take_back(const spi::Loan&) override {}
  [[nodiscard]] Status check_lent(std::uint64_t, std::uint64_t) override { return {}; }
  [[nodiscard]] std::uint64_t identity() override { return 1; }
  [[nodiscard]] Status flush() override;
  [[nodiscard]] Status commit() override { return flush(); }
  [[nodiscard]] Status truncate(std::uint64_t) override { return Status(Code::unsupported, "fixed size"); }

  std::atomic<int> flushes{0};
  std::atomic<bool> fail_flush{false};

 private:
  void serve(spi::Run& run);

  std::string uri_;
  Behaviour behaviour_;
  std::vector<std::byte> bytes_;
  mutable std::mutex mutex_;
  bool holding_ = false;
  std::deque<spi::Run*> held_;
  std::function<Status(const spi::Run&, const spi::Segment&)> script_;
  std::vector<std::size_t> segments_per_run_;
};

/// Opens the stores that a test registered, as `fake://name`.
class FakeEngine final : public spi::Engine {
 public:
  std::shared_ptr<FakeStore> add(const std::string& name, const FakeStore::Behaviour& behaviour);

  [[nodiscard]] std::string_view name() const noexcept override { return "fake"; }
  [[nodiscard]] std::vector<std::string_view> schemes() const override { return {"fake"}; }
  [[nodiscard]] Result<std::shared_ptr<spi::Store>> open(const spi::Uri& uri, const OpenOptions& options) override;
  void register_memory(std::byte*, std::size_t bytes) override { registered_bytes += bytes; }
  void unregister_memory(std::byte*) override {}
  [[nodiscard]] std::vector<Finding> diagnose() override { return {}; }
  std::uint64_t poll(std::uint64_t) override { return spi::kNever; }

  std::atomic<std::size_t> registered_bytes{0};

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<FakeStore>> stores_;
};

}  // namespace gpuio::tests
