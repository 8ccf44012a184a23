// SPDX-License-Identifier: Apache-2.0
// `gpuio pool`, of a pool that this process fills.
#include "gpuio/pool.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/testing/temporary_folder.h"
#include "base/unique_fd.h"
#include "cli/app.h"
#include "cli/json.h"
#include "gpuio/gpuio.hpp"

namespace gpuio::cli {
namespace {

/// What a command line printed to stdout, and how it ended.
struct Outcome {
  ExitCode code = ExitCode::ok;
  std::string text;

  [[nodiscard]] Json json() const { return Json::parse(text); }
};

class PoolCommand : public testing::Test {
 protected:
  Outcome run(std::vector<const char*> words) {
    words.insert(words.begin(), "gpuio");
    const std::string file = folder_.file("stdout");
    Outcome outcome;
    {
      const base::UniqueFd out(::open(file.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
      const Shell shell{Terminal::of(out.get()), Terminal(), interrupt_};
      outcome.code = run_app(static_cast<int>(words.size()), words.data(), shell);
    }
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    outcome.text = text.str();
    return outcome;
  }

  /// A pool with one object, made by the command and filled by a member that left.
  void make_pool() {
    ASSERT_EQ(run({"pool", "create", uri(), "--size", "4MiB", "--members", "2", "--objects", "64"}).code, ExitCode::ok);
    PoolMember member = Pool::open(memory()).value().join().value();
    throw_if_failed(member.publish("layer/0", std::vector<std::byte>(10'000, std::byte{7})));
  }

  Buffer memory() {
    const Store store = context_.open(uri(), {.mode = OpenMode::write}).value();
    return context_.map(store, {.access = MapAccess::read_write}).value();
  }
  [[nodiscard]] const char* uri() const { return path_.c_str(); }

  const base::testing::TemporaryFolder folder_;
  const std::string path_ = folder_.file("pool");
  const Interrupt interrupt_;
  const Context context_ = Context::create().value();
};

TEST_F(PoolCommand, CreateSaysHowThePoolIsLaidOut) {
  const Outcome made = run({"pool", "create", uri(), "--size", "4MiB", "--members", "2", "--objects", "64", "--block",
                            "64", "--lease", "2.5", "--json"});
  ASSERT_EQ(made.code, ExitCode::ok) << made.text;
  const Json pool = made.json()["pool"];
  EXPECT_EQ(pool["pool_bytes"], 4U << 20U);
  EXPECT_EQ(pool["members_max"], 2);
  EXPECT_EQ(pool["objects_per_member_max"], 64);
  EXPECT_EQ(pool["block_bytes"], 64);
  EXPECT_EQ(pool["lease_ns"], 2'500'000'000);
  EXPECT_EQ(pool["coherent"], true);
  EXPECT_EQ(std::filesystem::file_size(path_), 4U << 20U);
}

TEST_F(PoolCommand, CreateOverwritesOnlyIfAskedTo) {
  make_pool();
  const Outcome refused = run({"pool", "create", uri(), "--members", "2", "--objects", "64", "--json"});
  EXPECT_EQ(refused.code, ExitCode::failure);
  EXPECT_EQ(refused.json()["error"]["code"], "already_exists");
  EXPECT_EQ(run({"pool", "show", uri(), "--objects", "--json"}).json()["objects"].size(), 1U);

  EXPECT_EQ(run({"pool", "create", uri(), "--members", "2", "--objects", "64", "--overwrite"}).code, ExitCode::ok);
  EXPECT_TRUE(run({"pool", "show", uri(), "--objects", "--json"}).json()["objects"].empty());
}

TEST_F(PoolCommand, ShowNamesMembersAndObjects) {
  make_pool();
  const Json shown = run({"pool", "show", uri(), "--objects", "--json"}).json();
  EXPECT_EQ(shown["schema"], "gpuio.pool/1");
  EXPECT_EQ(shown["members"].size(), 2U);
  EXPECT_EQ(shown["members"][0]["state"], "left");
  EXPECT_EQ(shown["members"][1]["state"], "never");
  ASSERT_EQ(shown["objects"].size(), 1U);
  EXPECT_EQ(shown["objects"][0]["name"], "layer/0");
  EXPECT_EQ(shown["objects"][0]["bytes"], 10'000);

  const std::string text = run({"pool", "show", uri(), "--objects"}).text;
  for (const char* words : {"layer/0", "9.77 KiB", "left", "at most 2"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words << " in\n" << text;
  }
  EXPECT_EQ(run({"pool", "show", uri()}).text.find("layer/0"), std::string::npos);
}

TEST_F(PoolCommand, CheckFindsAByteThatChanged) {
  make_pool();
  const Outcome sound = run({"pool", "check", uri(), "--json"});
  EXPECT_EQ(sound.code, ExitCode::ok) << sound.text;
  EXPECT_EQ(sound.json()["object_bytes"], 10'000);

  const Buffer bytes = memory();
  const std::span<const std::byte> object = Pool::open(bytes).value().find("layer/0").value().view().value();
  bytes.data()[object.data() - bytes.data() + 5000] = std::byte{8};
  const Outcome damaged = run({"pool", "check", uri()});
  EXPECT_EQ(damaged.code, ExitCode::verification);
  EXPECT_NE(damaged.text.find("layer/0"), std::string::npos) << damaged.text;
}

TEST_F(PoolCommand, WhatIsNoPoolIsAnError) {
  std::ofstream(path_) << std::string(1U << 20U, 'x');
  const Outcome shown = run({"pool", "show", uri(), "--json"});
  EXPECT_EQ(shown.code, ExitCode::failure);
  EXPECT_EQ(shown.json()["error"]["code"], "not_found");
  EXPECT_EQ(run({"pool"}).code, ExitCode::usage);
}

}  // namespace
}  // namespace gpuio::cli
