// SPDX-License-Identifier: Apache-2.0
// What the simulator found once, each as the smallest machine that shows it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/random.h"
#include "world.h"

namespace gpuio::tests {
namespace {

std::vector<std::byte> some_bytes(std::uint64_t count) {
  base::Random random(count);
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next() >> 56U);
  return bytes;
}

/// A machine with one accelerator and one file.
struct Machine {
  Machine(WorldOptions options, std::uint64_t file_bytes) : contents(some_bytes(file_bytes)) {
    options.devices[0].memory_is_host = false;
    world.emplace(options);
    throw_if_failed(world->files->add("/file", contents));
    store = world->context->open("sim:///file").value();
    buffer = world->context->device("host").value().allocate(file_bytes).value();
    std::memset(buffer.data(), 0, file_bytes);
  }

  /// Reads [offset, offset + length) to the start of the buffer.
  [[nodiscard]] Request read(std::uint64_t offset, std::uint64_t length, const TransferOptions& options = {}) const {
    const Slice slice = buffer.slice(0, length).value();
    return world->context->read(store, Layout::contiguous(offset, length), slice, options).value();
  }
  [[nodiscard]] bool arrived(std::uint64_t offset, std::uint64_t length) const {
    return std::memcmp(buffer.data(), contents.data() + offset, length) == 0;
  }

  std::vector<std::byte> contents;
  std::optional<World> world;
  Store store;
  Buffer buffer;
};

WorldOptions with_slabs(const char* slab_bytes) {
  WorldOptions options;
  options.settings["memory.slab_bytes"] = slab_bytes;
  options.settings["memory.pinned_budget_bytes"] = "4MiB";
  return options;
}

TEST(Regression, AnUrgentDirectReadEndsWithTheSmallestSlabs) {
  // The kernel's list took all of a small slab but the widened ends: pieces of zero bytes, for ever.
  const Machine machine(with_slabs("64KiB"), 600'000);
  const Request request = machine.read(456'909, 100'000, {.priority = Priority::high, .cache = CacheUse::direct});
  EXPECT_TRUE(request.wait().ok());
  EXPECT_TRUE(machine.arrived(456'909, 100'000));
}

TEST(Regression, ALongPieceThatFillsAShortSlabIsNotDropped) {
  // It was cut to the whole slab, then refused for the kernel's list; the request ended there and reported ok.
  for (const char* slab_bytes : {"64KiB", "128KiB", "256KiB"}) {
    WorldOptions options = with_slabs(slab_bytes);
    options.disk.is_memory = true;
    const Machine machine(options, 1'400'000);
    const Request request = machine.read(73'728, 1'300'000);
    EXPECT_TRUE(request.wait().ok());
    EXPECT_EQ(request.progress().done_bytes, 1'300'000U);
    EXPECT_TRUE(machine.arrived(73'728, 1'300'000)) << slab_bytes;
  }
}

TEST(Regression, AReadThatGetsNoSlabNamesTheExtentThatItDidNotRead) {
  // Its failure named bytes from offset 0 on.
  const Machine machine(with_slabs("256KiB"), 600'000);
  sim::FaultPlan plan;
  plan[sim::Fault::registration_failed] = 1;
  machine.world->fate->set_plan(plan);
  const Request request = machine.read(300'000, 200'000);
  EXPECT_EQ(request.wait().code(), Code::resource_exhausted);
  const std::vector<Failure> failures = request.failures();
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures[0].extent, (Extent{300'000, 200'000}));
}

TEST(Regression, PagesLentForACopyThatFailsAreGivenBack) {
  // They stayed mapped, registered and counted until another run took their place.
  WorldOptions options = with_slabs("1MiB");
  options.settings["memory.pinned_budget_bytes"] = "16MiB";
  options.settings["local.hot_path"] = "register";
  options.disk.is_memory = true;
  for (const sim::Fault fault : {sim::Fault::device_failed, sim::Fault::device_rejected}) {
    const Machine machine(options, 3U << 20U);
    const Request lent = machine.read(0, 3U << 20U);
    ASSERT_TRUE(lent.wait().ok());
    ASSERT_NE(lent.explain().find("registered pages"), std::string::npos) << lent.explain();
    machine.world->executor->run_for(1'000'000);
    ASSERT_EQ(machine.world->files->mappings(), 0U);
    sim::FaultPlan plan;
    plan[fault] = 1;
    machine.world->fate->set_plan(plan);
    EXPECT_FALSE(machine.read(0, 3U << 20U).wait().ok());
    machine.world->executor->run_for(1'000'000);
    EXPECT_EQ(machine.world->files->mappings(), 0U) << to_string(fault);
  }
}

}  // namespace
}  // namespace gpuio::tests
