// SPDX-License-Identifier: Apache-2.0
#include "core/memory_store.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <string>
#include <vector>

#include "core/host_copy.h"

namespace gpuio::core {
namespace {

/// Small enough that several threads share a slab, large enough that handing it over does not show.
constexpr std::uint32_t kTaskBytes = 1U << 20U;

class MemoryStore;

struct RunCopies;

/// A part of one segment.
struct CopyTask final : spi::Task {
  void run() override;

  RunCopies* owner = nullptr;
  std::byte* to = nullptr;
  const std::byte* from = nullptr;
  std::size_t bytes = 0;
};

/// The tasks of one run; frees itself with the last of them.
struct RunCopies {
  spi::Run* run = nullptr;
  std::vector<CopyTask> tasks;
  std::atomic<std::size_t> left{0};
};

void CopyTask::run() {
  host_copy(to, from, bytes);
  if (owner->left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const std::unique_ptr<RunCopies> last(owner);
  last->run->finish();
}

class MemoryStore final : public spi::Store {
 public:
  explicit MemoryStore(spi::Executor& executor) : executor_(executor) {}

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

  void start(spi::Run& run) override {
    auto copies = std::make_unique<RunCopies>();
    copies->run = &run;
    for (const spi::Segment& segment : run.segments) {
      for (std::uint32_t done = 0; done < segment.bytes; done += kTaskBytes) {
        CopyTask& task = copies->tasks.emplace_back();
        auto* outside = reinterpret_cast<std::byte*>(segment.offset) + done;  // NOLINT: offsets are addresses here
        std::byte* slab = segment.memory + done;
        task.to = run.kind == spi::RunKind::read ? slab : outside;
        task.from = run.kind == spi::RunKind::read ? outside : slab;
        task.bytes = std::min(kTaskBytes, segment.bytes - done);
      }
    }
    copies->left = copies->tasks.size();
    RunCopies* owner = copies.release();
    const std::size_t count = owner->tasks.size();  // the owner may be gone once the last task is posted
    CopyTask* tasks = owner->tasks.data();
    for (std::size_t i = 0; i < count; ++i) tasks[i].owner = owner;
    for (std::size_t i = 0; i < count; ++i) executor_.post(tasks[i]);
  }

  void cancel(spi::Run&) override {}
  [[nodiscard]] Status read_now(const spi::Segment&) override { return would_block(); }
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
  static Status would_block() {
    return Status(Code::would_block, "copies of memory are the pool's").with_retryable(true);
  }

  spi::Executor& executor_;
  std::string uri_ = "mem://host";
};

}  // namespace

std::shared_ptr<spi::Store> make_memory_store(spi::Executor& executor) {
  return std::make_shared<MemoryStore>(executor);
}

}  // namespace gpuio::core
