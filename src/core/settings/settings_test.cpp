// SPDX-License-Identifier: Apache-2.0
#include "gpuio/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "core/settings/settings_state.h"
#include "core/settings/settings_table.h"

namespace gpuio {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// A folder of its own, and an environment without anything of ours until a test sets it.
class SettingsTest : public testing::Test {
 protected:
  SettingsTest() {
    std::string pattern = testing::TempDir() + "settings_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    for (char** variable = ::environ; *variable != nullptr; ++variable) {
      const std::string name = std::string(*variable).substr(0, std::string_view(*variable).find('='));
      if (name.starts_with("GPUIO_") || name == "XDG_CONFIG_HOME" || name == "HOME")
        saved_[name] = ::getenv(name.c_str());
    }
    for (const auto& [name, value] : saved_) ::unsetenv(name.c_str());
    set_variable("XDG_CONFIG_HOME", folder_.string());
  }

  ~SettingsTest() override {
    for (const std::string& name : set_) ::unsetenv(name.c_str());
    for (const auto& [name, value] : saved_) ::setenv(name.c_str(), value.c_str(), 1);
    std::filesystem::remove_all(folder_);
  }

  void set_variable(const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
    set_.push_back(name);
  }

  std::string write_file(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }

  Result<Settings> load_text(const std::string& text) {
    SettingsOptions options;
    options.file = write_file("test.toml", text);
    return Settings::load(options);
  }

  std::string error_of(const std::string& text) {
    const Result<Settings> settings = load_text(text);
    EXPECT_FALSE(settings) << text;
    return settings ? "" : settings.error().to_string();
  }

  std::filesystem::path folder_;

 private:
  std::map<std::string, std::string> saved_;
  std::vector<std::string> set_;
};

TEST_F(SettingsTest, DefaultsHoldWhereNothingIsSaid) {
  SettingsOptions options;
  options.use_file = false;
  const Settings settings = Settings::load(options).value();
  EXPECT_EQ(settings.values().memory_pinned_budget_bytes, 256U << 20);
  EXPECT_EQ(settings.values().local_engine, "auto");
  EXPECT_EQ(settings.values().memory_numa_node, -1);
  EXPECT_TRUE(settings.values().memory_huge_pages);
  for (const std::string& key : Settings::keys()) {
    EXPECT_EQ(settings.origin(key).value(), "default");
    EXPECT_EQ(settings.text(key).value(), Settings::describe(key).value().default_value);
  }
}

TEST_F(SettingsTest, EveryDefaultIsAllowed) {
  Settings settings;
  for (const std::string& key : Settings::keys()) {
    const Status status = settings.set(key, settings.text(key).value());
    EXPECT_TRUE(status.ok()) << status.to_string();
  }
}

TEST_F(SettingsTest, ProgramOverridesEnvironmentOverridesFile) {
  set_variable("GPUIO_LOCAL_QUEUE_DEPTH_MAX", "32");
  set_variable("GPUIO_LOCAL_DIRECT", "never");
  Settings settings = load_text(
                          "[local]\n"
                          "queue_depth_max = 16\n"
                          "direct = \"always\"\n"
                          "read_bytes_max = \"128KiB\"\n")
                          .value();
  ASSERT_TRUE(settings.set("local.direct", "auto").ok());

  EXPECT_EQ(settings.values().local_read_bytes_max, 128U << 10);
  EXPECT_EQ(settings.values().local_queue_depth_max, 32U);
  EXPECT_EQ(settings.values().local_direct, "auto");
  EXPECT_EQ(settings.origin("local.read_bytes_max").value(), (folder_ / "test.toml").string() + ":4");
  EXPECT_EQ(settings.origin("local.queue_depth_max").value(), "environment GPUIO_LOCAL_QUEUE_DEPTH_MAX");
  EXPECT_EQ(settings.origin("local.direct").value(), "api");
  EXPECT_EQ(settings.origin("local.engine").value(), "default");
}

TEST_F(SettingsTest, FileOfEachTypeIsRead) {
  const Settings settings = load_text(
                                "memory.huge_pages = false\n"
                                "memory.numa_node = 1\n"
                                "memory.slab_bytes = 1048576\n"
                                "scheduler.bulk_latency_target_ns = \"750us\"\n"
                                "request.timeout_ns = 5000\n"
                                "device.cuda_library = \"/opt/a b.so\"\n"
                                "log.level = \"info,local=debug\"\n")
                                .value();
  EXPECT_FALSE(settings.values().memory_huge_pages);
  EXPECT_EQ(settings.values().memory_numa_node, 1);
  EXPECT_EQ(settings.values().memory_slab_bytes, 1U << 20);
  EXPECT_EQ(settings.values().scheduler_bulk_latency_target_ns, 750'000U);
  EXPECT_EQ(settings.values().request_timeout_ns, 5'000U);
  EXPECT_EQ(settings.values().device_cuda_library, "/opt/a b.so");
  EXPECT_EQ(settings.values().log_level, "info,local=debug");
}

TEST_F(SettingsTest, UnknownKeysNameFileLineAndTheNearestKey) {
  const std::string error = error_of("[local]\nengine = \"auto\"\nqueue_depht_max = 3\n");
  EXPECT_THAT(error, StartsWith("invalid_argument: unknown setting 'local.queue_depht_max'; "
                                "did you mean 'local.queue_depth_max'? file="));
  EXPECT_THAT(error, HasSubstr("test.toml line=3 "));
  EXPECT_THAT(error_of("[lcoal]\n"), HasSubstr("unknown section 'lcoal'; did you mean 'local'? file="));
  EXPECT_THAT(error_of("engine = \"auto\"\n"), HasSubstr("unknown section 'engine'"));
  EXPECT_THAT(error_of("[local.engine.deep]\nx = 1\n"), HasSubstr("expected a choice, got a table key=local.engine"));
}

TEST_F(SettingsTest, WrongTypesNameWhatWasExpectedAndWhatWasThere) {
  const std::map<std::string, std::string> cases = {
      {"local = 3", "'local' is a section, not an integer"},
      {"local.queue_depth_max = \"64\"", "expected an integer, got a string key=local.queue_depth_max"},
      {"local.queue_depth_max = 6.5", "expected an integer, got a fraction key=local.queue_depth_max"},
      {"memory.huge_pages = \"true\"", "expected a boolean, got a string key=memory.huge_pages"},
      {"memory.huge_pages = 1", "expected a boolean, got an integer key=memory.huge_pages"},
      {"memory.slab_bytes = true", "expected a size, got a boolean key=memory.slab_bytes"},
      {"memory.slab_bytes = \"64K\"", "'64K' is not a size: 'K' is none of the units"},
      {"memory.slab_bytes = [1]", "expected a size, got an array key=memory.slab_bytes"},
      {"request.timeout_ns = 12:00:00", "expected a duration, got a date or time key=request.timeout_ns"},
      {"local.direct = \"nevr\"", "expected one of auto, always, never, got 'nevr'; did you mean 'never'?"},
      {"local.direct = 1", "expected a choice, got an integer key=local.direct"},
      {"log.level = \"loud\"", "no such log level: 'loud'"},
  };
  for (const auto& [text, message] : cases) {
    const std::string error = error_of("\n" + text + "\n");
    EXPECT_THAT(error, StartsWith("invalid_argument: " + message)) << text;
    EXPECT_THAT(error, HasSubstr("line=2")) << text;
  }
}

TEST_F(SettingsTest, ValuesOutOfRangeNameTheRange) {
  EXPECT_THAT(error_of("local.queue_depth_max = 0"),
              StartsWith("out_of_range: expected 1 to 32768, got 0 key=local.queue_depth_max file="));
  EXPECT_THAT(error_of("memory.slab_bytes = \"4KiB\""), HasSubstr("expected 64KiB to 1GiB, got 4KiB"));
  EXPECT_THAT(error_of("memory.numa_node = -2"), HasSubstr("expected -1 to 1023, got -2"));
  EXPECT_THAT(error_of("request.timeout_ns = -1"), HasSubstr("expected 0 or more, got -1"));
  EXPECT_THAT(error_of("memory.pinned_budget_bytes = \"15EiB\""), HasSubstr("'15EiB' is too large"));
}

TEST_F(SettingsTest, TextThatIsNotTomlNamesTheLine) {
  EXPECT_THAT(error_of("[local]\nengine = \"auto\n"), HasSubstr("test.toml line=2"));
  EXPECT_THAT(error_of("[local]\nengine = \"auto\"\nengine = \"uring\"\n"), HasSubstr("line=3"));
  EXPECT_THAT(error_of(std::string(100'000, '[')), HasSubstr("not TOML"));
  EXPECT_THAT(error_of("x = " + std::string(100'000, '[')), HasSubstr("not TOML"));
  for (const char* header :
       {"[", "[=]", "[ #]", "[[[a]]]", "[[ [a]]", "[]", "[[]]", "[ [a]]", "[\"", "\xef\xbb\xbf[!]", "[a"}) {
    EXPECT_THAT(error_of(header), HasSubstr("line=1")) << header;
  }
  EXPECT_THAT(error_of("#" + std::string(2 << 20, 'x')), HasSubstr("at most 1 MiB"));
}

TEST_F(SettingsTest, LettersBeyondAsciiAreReadInTextsAndRefusedElsewhere) {
  const std::string text = "# \u00e1\n[device]\ncuda_library = \"\u00e1 \\u00e1\"  # \u00e1\n";
  EXPECT_EQ(load_text(text).value().values().device_cuda_library, "\u00e1 \u00e1");
  EXPECT_THAT(error_of("\n\u00e1 = 1\n"), HasSubstr("line=2"));
  EXPECT_THAT(error_of("\nlocal.engine = 'auto' \u00e1\n"), HasSubstr("line=2"));
  EXPECT_THAT(error_of("\nlocal.engine = \"\\\u00e1\"\n"), HasSubstr("line=2"));
}

TEST_F(SettingsTest, FilesThatCannotBeReadAreErrorsUnlessNobodyAskedForThem) {
  EXPECT_TRUE(Settings::load()) << "no file is no error";
  SettingsOptions options;
  options.file = (folder_ / "missing.toml").string();
  EXPECT_EQ(Settings::load(options).error().code(), Code::not_found);
  EXPECT_THAT(Settings::load(options).error().to_string(), HasSubstr("missing.toml"));
  options.file = folder_.string();
  EXPECT_EQ(Settings::load(options).error().code(), Code::invalid_argument);
  set_variable("GPUIO_CONFIG", (folder_ / "missing.toml").string());
  EXPECT_EQ(Settings::load().error().code(), Code::not_found);
}

TEST_F(SettingsTest, FirstPlaceThatHasAFileWins) {
  write_file("gpuio/config.toml", "local.queue_depth_max = 1\n");
  const std::string named = write_file("named.toml", "local.queue_depth_max = 2\n");
  const std::string given = write_file("given.toml", "local.queue_depth_max = 3\n");
  EXPECT_EQ(Settings::load().value().values().local_queue_depth_max, 1U);
  set_variable("GPUIO_CONFIG", named);
  EXPECT_EQ(Settings::load().value().values().local_queue_depth_max, 2U);
  EXPECT_EQ(Settings::load({.file = given}).value().values().local_queue_depth_max, 3U);
  set_variable("GPUIO_CONFIG", "");
  EXPECT_EQ(Settings::load().value().origin("local.queue_depth_max").value(), "default");
}

TEST_F(SettingsTest, HomeStandsInForAMissingConfigurationFolder) {
  ::unsetenv("XDG_CONFIG_HOME");
  set_variable("HOME", folder_.string());
  write_file(".config/gpuio/config.toml", "local.queue_depth_max = 5\n");
  EXPECT_EQ(Settings::load().value().values().local_queue_depth_max, 5U);
}

TEST_F(SettingsTest, VariablesThatLookLikeSettingsMustBeSettings) {
  set_variable("GPUIO_TEST_OF_ANOTHER_TOOL", "1");
  EXPECT_TRUE(Settings::load());
  set_variable("GPUIO_LOCAL_QUEUE_DEPHT_MAX", "3");
  EXPECT_EQ(Settings::load().error().message(),
            "no setting has this environment variable; did you mean GPUIO_LOCAL_QUEUE_DEPTH_MAX? "
            "variable=GPUIO_LOCAL_QUEUE_DEPHT_MAX");
  EXPECT_TRUE(Settings::load({.use_environment = false}));
  ::unsetenv("GPUIO_LOCAL_QUEUE_DEPHT_MAX");
  set_variable("GPUIO_LOCL_QUEUE_DEPTH_MAX", "3");
  EXPECT_FALSE(Settings::load()) << "a misspelled section";
  ::unsetenv("GPUIO_LOCL_QUEUE_DEPTH_MAX");
  set_variable("GPUIO_DEVICE_XYZ", "3");
  EXPECT_FALSE(Settings::load()) << "nothing near, but in a section of ours";
}

TEST_F(SettingsTest, BadValueInAVariableNamesTheVariable) {
  set_variable("GPUIO_MEMORY_HUGE_PAGES", "maybe");
  EXPECT_EQ(Settings::load().error().message(),
            "expected true or false, got 'maybe' key=memory.huge_pages variable=GPUIO_MEMORY_HUGE_PAGES");
  set_variable("GPUIO_MEMORY_HUGE_PAGES", "0");
  EXPECT_FALSE(Settings::load().value().values().memory_huge_pages);
}

TEST_F(SettingsTest, FailedSetChangesNothingAndCopiesAreIndependent) {
  Settings settings;
  Settings copy = settings;
  ASSERT_TRUE(copy.set("memory.numa_node", "-1").ok());
  ASSERT_TRUE(copy.set("local.queue_depth_max", " 7 ").ok());
  for (const char* text : {"0", "-7", "7.5", "7KiB", "", "99999999999999999999"}) {
    EXPECT_FALSE(copy.set("local.queue_depth_max", text).ok()) << text;
  }
  EXPECT_EQ(copy.values().local_queue_depth_max, 7U);
  EXPECT_EQ(settings.values().local_queue_depth_max, 64U);
  EXPECT_THAT(std::string(copy.set("local.queue_dept", "1").message()),
              HasSubstr("did you mean 'local.queue_depth_max'?"));
  EXPECT_EQ(copy.text("local").error().code(), Code::invalid_argument);
  EXPECT_EQ(copy.origin("local").error().code(), Code::invalid_argument);
}

TEST_F(SettingsTest, OnlyLiveSettingsReload) {
  Settings settings;
  EXPECT_TRUE(settings.reload("scheduler.bandwidth_bulk_bytes_per_second", "2GB").ok());
  EXPECT_EQ(settings.values().scheduler_bandwidth_bulk_bytes_per_second, 2'000'000'000U);
  EXPECT_EQ(settings.reload("memory.slab_bytes", "1MiB").code(), Code::unsupported);
  EXPECT_EQ(settings.values().memory_slab_bytes, 8U << 20);
}

TEST_F(SettingsTest, DescriptionsSayWhatMayBeSaid) {
  const SettingInfo info = Settings::describe("local.queue_depth_max").value();
  EXPECT_EQ(info.variable, "GPUIO_LOCAL_QUEUE_DEPTH_MAX");
  EXPECT_EQ(info.type, "integer");
  EXPECT_EQ(info.default_value, "64");
  EXPECT_EQ(info.allowed, "1 to 32768");
  EXPECT_FALSE(info.reloadable);
  EXPECT_EQ(Settings::describe("local.engine").value().allowed, "auto, uring, threads");
  EXPECT_TRUE(Settings::describe("log.level").value().reloadable);
}

TEST_F(SettingsTest, NamesEndInTheirUnit) {
  for (const core::SettingRow& row : core::setting_rows()) {
    if (row.type == core::SettingType::duration) {
      EXPECT_TRUE(row.key.ends_with("_ns")) << row.key;
    }
    if (row.type == core::SettingType::size) {
      EXPECT_THAT(std::string(row.key), HasSubstr("_bytes"));
    }
  }
}

TEST(SettingsReference, CommittedPageIsTheGeneratedOne) {
  const auto path = std::filesystem::path(GPUIO_DOCS_FOLDER) / "settings.md";
  if (::getenv("UPDATE_DOCS") != nullptr) std::ofstream(path) << Settings::reference();
  std::ifstream file(path);
  const std::string committed{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(committed, Settings::reference()) << "run this test with UPDATE_DOCS=1 in the environment";
}

}  // namespace
}  // namespace gpuio
