// SPDX-License-Identifier: Apache-2.0
#include "base/scope_exit.h"

#include <gtest/gtest.h>

namespace gpuio::base {
namespace {

TEST(ScopeExit, RunsOnceAtTheEndUnlessDismissed) {
  int calls = 0;
  {
    const ScopeExit runs([&calls] { ++calls; });
    ScopeExit dismissed([&calls] { calls += 100; });
    dismissed.dismiss();
    EXPECT_EQ(calls, 0);
  }
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace gpuio::base
