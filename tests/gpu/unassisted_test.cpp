// SPDX-License-Identifier: Apache-2.0
// Requests that a waiting kernel depends on, on a GPU on which no other kernel can run. tests/context does the same on
// a machine without one.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>

#include "gpu_context.h"
#include "gpuio/gpuio.hpp"
#include "transfers.h"
#include "waiting_kernels.h"

namespace gpuio::tests {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 15s;        // of the kernels
constexpr Duration kTimeout = 10s;     // of Requests that they wait for
constexpr Duration kQuietLimit = 10s;  // after which what has not ended never will

/// A Context and GPU 0, or the reason why there is none.
class OnGpu : public testing::Test {
 protected:
  void SetUp() override {
    context_.emplace(gpu_context());
    Result<Device> opened = context_->device("cuda:0");
    if (!opened) GTEST_SKIP() << opened.error().to_string();
    device_.emplace(*std::move(opened));
  }

  void TearDown() override { require_quiet(); }

  /// Once no kernel waits any more: nobody can clean up after a Request that never ends, so that ends the program.
  void require_quiet() {
    const auto deadline = std::chrono::steady_clock::now() + kQuietLimit;
    for (const Request& request : started_) {
      while (!request.quiet() && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
      if (request.quiet()) continue;
      std::fprintf(stderr, "[  FAILED  ] a Request never ends: %s\n%s", request.status().to_string().c_str(),
                   request.explain().c_str());
      std::fflush(stdout);
      std::_Exit(1);
    }
  }

  std::unique_ptr<Transferring> prepare(const Kind& kind) {
    return std::make_unique<Transferring>(*context_, *device_, kind);
  }

  void start(Transferring& transferring, const TransferOptions& options) {
    transferring.start(*context_, options);
    started_.push_back(transferring.request());
  }

  std::optional<Context> context_;
  std::optional<Device> device_;
  std::vector<Request> started_;
};

/// Without waiting kernels: these run under compute-sanitizer too.
using Transfers = OnGpu;

TEST_F(Transfers, EveryKindBringsItsBytes) {
  for (const bool unassisted : {false, true}) {
    for (const Kind& kind : kinds()) {
      const auto one = prepare(kind);
      start(*one, {.unassisted = unassisted});
      (void)one->request().wait(60s);
      EXPECT_EQ(one->check(), "") << (unassisted ? "unassisted" : "assisted") << "\n" << one->request().explain();
    }
  }
}

class WaitingKernelsTest : public OnGpu {
 protected:
  static constexpr TransferOptions kUnassisted{.timeout = kTimeout, .unassisted = true};

  /// All of them at once while kernels that wait for every one fill the GPU.
  void expect_all_end(const std::vector<Kind>& chosen, const std::vector<std::unique_ptr<Transferring>>& others = {}) {
    std::vector<std::unique_ptr<Transferring>> jobs;
    std::vector<const std::byte*> awaited;
    for (const Kind& kind : chosen) {
      jobs.push_back(prepare(kind));
      jobs.back()->append_awaited(awaited);
    }
    // A write that nothing waits for runs beside a read that something does.
    if (awaited.empty()) {
      jobs.push_back(prepare(kinds().front()));
      jobs.back()->append_awaited(awaited);
      std::swap(jobs.front(), jobs.back());
    }
    WaitingKernels kernels(awaited.size(), kPatience);
    kernels.start(awaited);
    ASSERT_FALSE(kernels.leave_room()) << "the test's own kernels do not fill the GPU";
    for (const auto& other : others) start(*other, {});
    if (!others.empty()) std::this_thread::sleep_for(200ms);  // until they have taken what they can get
    // The kernels wait on until the last read has come: the first one starts when the writes have ended.
    for (std::size_t i = 1; i < jobs.size(); ++i) start(*jobs[i], kUnassisted);
    for (std::size_t i = 1; i < jobs.size(); ++i) (void)jobs[i]->request().wait(kTimeout + 5s);
    start(*jobs.front(), kUnassisted);
    (void)jobs.front()->request().wait(kTimeout + 5s);
    EXPECT_EQ(kernels.finish(), "");
    require_quiet();
    for (const auto& other : others) (void)other->request().wait(kTimeout);
    for (const auto* list : {static_cast<const std::vector<std::unique_ptr<Transferring>>*>(&jobs), &others}) {
      for (const auto& job : *list) EXPECT_EQ(job->check(), "") << job->request().explain();
    }
    for (const auto& job : jobs) EXPECT_EQ(job->request().explain().find("kernel"), std::string::npos);
  }
};

TEST_F(WaitingKernelsTest, EveryKindOfRequestEndsByItself) {
  for (const Kind& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    expect_all_end({kind});
    if (HasFailure()) return;
  }
}

TEST_F(WaitingKernelsTest, AllKindsOfRequestsEndTogether) { expect_all_end(kinds()); }

TEST_F(WaitingKernelsTest, RequestsEndThoughOthersThatNeedKernelsCameFirst) {
  // Small reads move with a kernel, and hold their slabs and streams until it has run.
  std::vector<std::unique_ptr<Transferring>> others(40);
  for (auto& other : others) other = prepare(kinds()[1]);
  expect_all_end(kinds(), others);
}

/// Requests on many more streams than the GPU has hardware queues, each held by work that was queued before.
class ManyStreams : public WaitingKernelsTest {
 protected:
  static constexpr std::size_t kStreams = 64;

  void expect_all_pass(bool with_work_behind) {
    const Kind part{"part", false, false, CacheUse::automatic, Layout::contiguous(12345, 300'000)};
    std::vector<Stream> streams;
    std::vector<std::unique_ptr<Transferring>> jobs;
    std::vector<const std::byte*> awaited;
    for (std::size_t i = 0; i < kStreams; ++i) {
      streams.push_back(device_->create_stream().value());
      jobs.push_back(prepare(part));
      jobs.back()->append_awaited(awaited);
    }
    Witnesses witnesses(kStreams);
    StreamPlug plug;
    WaitingKernels kernels(awaited.size(), kPatience);
    kernels.start(awaited);  // no kernel more is queued here: streams that share its hardware queue would wait for it
    for (std::size_t i = 0; i < kStreams; ++i) {
      plug.hold(streams[i].native());
      TransferOptions options = kUnassisted;
      options.stream = &streams[i];
      start(*jobs[i], options);
      if (with_work_behind) witnesses.look(streams[i].native(), i, last_byte(awaited, i));
    }
    std::this_thread::sleep_for(50ms);
    for (const auto& job : jobs) EXPECT_FALSE(job->request().done()) << "it did not wait for its stream";
    plug.pull();
    for (const auto& job : jobs) (void)job->request().wait(kTimeout + 5s);
    EXPECT_EQ(kernels.finish(), "");
    require_quiet();
    if (HasFailure()) return;
    for (std::size_t i = 0; i < kStreams; ++i) {
      EXPECT_TRUE(streams[i].synchronize().ok());
      EXPECT_EQ(jobs[i]->check(), "");
      const bool too_early = with_work_behind && witnesses.seen(i) == std::byte{0};
      EXPECT_FALSE(too_early) << "work behind the Request ran before it";
    }
  }

 private:
  static const std::byte* last_byte(const std::vector<const std::byte*>& awaited, std::size_t job) {
    return awaited[job];  // a part of less than 1 MiB has one
  }
};

TEST_F(ManyStreams, ARequestOnEachEnds) { expect_all_pass(false); }

TEST_F(ManyStreams, ARequestOnEachEndsWithWorkBehindIt) { expect_all_pass(true); }

}  // namespace
}  // namespace gpuio::tests
