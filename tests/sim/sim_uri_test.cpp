// SPDX-License-Identifier: Apache-2.0
// sim:// in an ordinary Context, on real time.
#include <gtest/gtest.h>

#include <cstring>

#include "gpuio/gpuio.hpp"

namespace gpuio::tests {
namespace {

Context ordinary_context() { return Context::create({Settings(), Drive::threads}).value(); }

TEST(SimUri, TheSeedDecidesTheBytes) {
  const Context context = ordinary_context();
  const Device host = context.device("host").value();
  const auto read = [&](const std::string& uri) {
    const Store store = context.open(uri).value();
    EXPECT_EQ(store.size(), 1U << 20U);
    Buffer buffer = host.allocate(store.size()).value();
    EXPECT_TRUE(context.read(store, buffer).value().wait().ok());
    return buffer;
  };
  const Buffer one = read("sim://one?seed=7&size=1MiB");
  const Buffer same = read("sim://same?seed=7&size=1MiB");
  const Buffer other = read("sim://other?seed=8&size=1MiB");
  EXPECT_EQ(std::memcmp(one.data(), same.data(), one.size()), 0);
  EXPECT_NE(std::memcmp(one.data(), other.data(), one.size()), 0);
}

TEST(SimUri, WhatIsWrittenUnderFaultsIsReadBack) {
  const Context context = ordinary_context();
  const Store store =
      context.open("sim://disk?seed=3&size=4MiB&latency=20us&fault=0.02", {.mode = OpenMode::write}).value();
  const Device host = context.device("host").value();
  const Buffer source = host.allocate(64U << 10U).value();
  const Buffer destination = host.allocate(source.size()).value();
  for (int i = 0; i < 50; ++i) {
    std::memset(source.data(), i, source.size());
    const Layout extents = Layout::contiguous(static_cast<std::uint64_t>(i) * 7'777, source.size());
    if (!context.write(store, extents, source).value().wait().ok()) continue;
    if (!context.read(store, extents, destination).value().wait().ok()) continue;
    ASSERT_EQ(std::memcmp(source.data(), destination.data(), source.size()), 0) << i;
  }
}

TEST(SimUri, RefusesWhatItDoesNotKnow) {
  const Context context = ordinary_context();
  EXPECT_EQ(context.open("sim://a?seed=x").error().code(), Code::invalid_argument);
  EXPECT_EQ(context.open("sim://a?fault=2").error().code(), Code::out_of_range);
  EXPECT_EQ(context.open("sim://a?colour=red").error().code(), Code::invalid_argument);
}

}  // namespace
}  // namespace gpuio::tests
