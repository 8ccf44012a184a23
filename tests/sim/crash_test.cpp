// SPDX-License-Identifier: Apache-2.0
// A power cut at every step of a save: afterwards the old contents are there, or the new ones, never a mixture.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "world.h"

namespace gpuio::tests {
namespace {

constexpr std::uint64_t kBytes = 100'000;
const std::string kPath = "/model.safetensors";

std::vector<std::byte> some_bytes(std::uint64_t seed, std::uint64_t count) {
  base::Random random(seed);
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next() >> 56U);
  return bytes;
}

/// Writes aside and puts it in place; whatever the machine answers.
Status save(const Context& context, const std::vector<std::byte>& contents) {
  Result<Store> store = context.open("sim://" + kPath, {.mode = OpenMode::replace});
  if (!store) return store.error();
  const Buffer buffer = context.device("host").value().allocate(contents.size()).value();
  std::ranges::copy(contents, buffer.data());
  for (std::uint64_t at = 0; at < contents.size(); at += kBytes / 4) {
    const std::uint64_t bytes = std::min<std::uint64_t>(kBytes / 4, contents.size() - at);
    Result<Request> part = context.write(*store, Layout::contiguous(at, bytes), buffer.slice(at, bytes).value());
    const Status status = part ? part->wait() : part.error();
    if (!status.ok()) return status;
  }
  return store->commit();
}

struct Outcome {
  Status status;
  std::vector<std::byte> left;
  bool cut = false;  ///< The power went before the save was over.
};

Outcome save_and_cut(std::uint64_t seed, std::uint64_t step) {
  WorldOptions options;
  options.seed = seed;
  options.settings["local.direct"] = seed % 2 == 0 ? "always" : "auto";
  World world(options);
  throw_if_failed(world.files->add(kPath, some_bytes(1, kBytes)));
  world.files->cut_power_at(step);
  const std::uint64_t before = world.files->steps();
  Outcome outcome;
  outcome.status = save(*world.context, some_bytes(2, kBytes + 777));
  outcome.cut = world.files->steps() >= before + step;
  world.stop();
  sim::FaultPlan losses;
  losses[sim::Fault::lost_sector] = losses[sim::Fault::torn_sector] = 0.3;
  world.fate->set_plan(losses);
  world.files->restore_power();
  outcome.left = world.files->contents(kPath);
  return outcome;
}

TEST(PowerCut, AtAnyStepOfASaveLeavesTheOldContentsOrTheNew) {
  const std::vector<std::byte> old_bytes = some_bytes(1, kBytes);
  const std::vector<std::byte> new_bytes = some_bytes(2, kBytes + 777);
  unsigned old_left = 0;
  unsigned new_left = 0;
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    for (std::uint64_t step = 1;; ++step) {
      const Outcome outcome = save_and_cut(seed, step);
      const bool is_old = outcome.left == old_bytes;
      const bool is_new = outcome.left == new_bytes;
      ASSERT_TRUE(is_old || is_new) << "a mixture: seed " << seed << " step " << step;
      ASSERT_TRUE(is_new || !outcome.status.ok()) << "an acknowledged save is gone: seed " << seed << " step " << step;
      ++(is_old ? old_left : new_left);
      if (!outcome.cut) break;
      ASSERT_LT(step, 200U);
    }
  }
  EXPECT_GT(old_left, 0U);
  EXPECT_GT(new_left, 24U) << "no cut came after the rename";
}

/// What the test above would miss if the simulated disk kept everything.
TEST(PowerCut, TakesBytesThatWereNotFlushed) {
  unsigned lost = 0;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    WorldOptions options;
    options.seed = seed;
    World world(options);
    throw_if_failed(world.files->add(kPath, some_bytes(1, kBytes)));
    {
      const Store store = world.context->open("sim://" + kPath, {.mode = OpenMode::write}).value();
      const Buffer buffer = world.context->device("host").value().allocate(kBytes).value();
      std::ranges::fill_n(buffer.data(), kBytes, std::byte{7});
      ASSERT_TRUE(world.context->write(store, buffer).value().wait().ok());
    }
    world.stop();
    sim::FaultPlan losses;
    losses[sim::Fault::lost_sector] = 0.5;
    world.fate->set_plan(losses);
    world.files->restore_power();
    const std::vector<std::byte> left = world.files->contents(kPath);
    lost += left != std::vector<std::byte>(kBytes, std::byte{7}) ? 1 : 0;
  }
  EXPECT_GT(lost, 0U);
}

}  // namespace
}  // namespace gpuio::tests
