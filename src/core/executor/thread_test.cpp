// SPDX-License-Identifier: Apache-2.0
#include "core/executor/thread.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <csignal>
#include <string>

namespace gpuio::core {
namespace {

TEST(Thread, QuotaOfAControlGroupRoundsUpToCores) {
  EXPECT_EQ(cores_of_quota("200000 100000"), 2U);
  EXPECT_EQ(cores_of_quota("150000 100000"), 2U);
  EXPECT_EQ(cores_of_quota("1000 100000"), 1U);
}

TEST(Thread, AQuotaThatIsNoneOrNonsenseLimitsNothing) {
  for (const char* text : {"max 100000", "", "12", "12 ", "12 x", "0 100000", "100000 0", "-5 100000"}) {
    EXPECT_EQ(cores_of_quota(text), 0U) << text;
  }
}

TEST(Thread, ThereIsAlwaysACore) {
  EXPECT_GE(usable_cores(), 1U);
  EXPECT_LE(usable_cores(), std::max(std::thread::hardware_concurrency(), 1U));
}

TEST(Thread, BlocksTheApplicationsSignalsButNotItsOwnFaults) {
  sigset_t seen;
  char name[16] = {};
  std::thread thread = start_thread("a-name-that-is-too-long", -1, [&] {
                         ::pthread_sigmask(SIG_BLOCK, nullptr, &seen);
                         ::pthread_getname_np(::pthread_self(), name, sizeof name);
                       }).value();
  thread.join();
  EXPECT_EQ(std::string(name), "a-name-that-is-");
  EXPECT_EQ(::sigismember(&seen, SIGINT), 1);
  EXPECT_EQ(::sigismember(&seen, SIGTERM), 1);
  EXPECT_EQ(::sigismember(&seen, SIGBUS), 0);
  EXPECT_EQ(::sigismember(&seen, SIGSEGV), 0);
  sigset_t mine;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mine);
  EXPECT_EQ(::sigismember(&mine, SIGINT), 0) << "the starting thread gets its own mask back";
}

TEST(Thread, RunsOnANodeThatDoesNotExistAnyway) {
  bool ran = false;
  start_thread("node", 4096, [&] { ran = true; }).value().join();
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace gpuio::core
