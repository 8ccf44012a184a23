// SPDX-License-Identifier: Apache-2.0
#include "core/memory/memory_store.h"

#include <limits>
#include <memory>
#include <string>

#include "core/memory/memory_mover.h"

namespace gpuio::core {
namespace {

/// All of the address space.
class AnyAddress final : public MemoryTarget {
 public:
  [[nodiscard]] std::byte* address(std::uint64_t offset, std::uint64_t) const noexcept override {
    return reinterpret_cast<std::byte*>(offset);  // NOLINT(performance-no-int-to-ptr): offsets are addresses here
  }
};

class MemoryStore final : public spi::Store {
 public:
  explicit MemoryStore(spi::Executor& executor) : mover_(executor) {}

  [[nodiscard]] const std::string& uri() const noexcept override { return uri_; }
  [[nodiscard]] std::string_view engine() const noexcept override { return "core"; }
  [[nodiscard]] std::string_view tier() const noexcept override { return "dram"; }
  [[nodiscard]] std::uint64_t size() const noexcept override { return std::numeric_limits<std::uint64_t>::max(); }
  [[nodiscard]] bool writable() const noexcept override { return true; }
  [[nodiscard]] std::string explain() const override { return "host memory, copied by the pool"; }
  [[nodiscard]] std::string_view way_name(spi::Way) const noexcept override { return "host memory"; }

  [[nodiscard]] Result<Residency> residency(std::uint64_t, std::uint64_t length) override {
    return Residency{length, length};
  }

  [[nodiscard]] spi::Plan plan(spi::RunKind, std::uint64_t, std::uint64_t length, CacheUse) override {
    spi::Plan plan;
    plan.resident = true;
    plan.length = length;
    plan.reason = "memory that the copy engine can't reach";
    return plan;
  }

  void start(spi::Run& run) override { mover_.start(run, memory_); }

  void cancel(spi::Run&) override {}
  [[nodiscard]] Status read_now(const spi::Segment&) override {
    return Status(Code::would_block, "copies of memory are the pool's").with_retryable(true);
  }
  [[nodiscard]] Result<spi::Loan> lend(std::uint64_t, std::uint64_t) override {
    return Status(Code::unsupported, "plain memory has no pages to lend");
  }
  void take_back(const spi::Loan&) override {}
  [[nodiscard]] Status check_lent(std::uint64_t, std::uint64_t) override { return {}; }
  [[nodiscard]] std::uint64_t identity() override { return 0; }
  [[nodiscard]] Status flush() override { return {}; }
  [[nodiscard]] Status commit() override { return {}; }
  [[nodiscard]] Status truncate(std::uint64_t) override {
    return Status(Code::unsupported, "memory has no length to change");
  }

 private:
  MemoryMover mover_;
  std::shared_ptr<const MemoryTarget> memory_ = std::make_shared<AnyAddress>();
  std::string uri_ = "mem://host";
};

}  // namespace

std::shared_ptr<spi::Store> make_memory_store(spi::Executor& executor) {
  return std::make_shared<MemoryStore>(executor);
}

}  // namespace gpuio::core
