// SPDX-License-Identifier: Apache-2.0
// In children with less than the usual rights: io_uring refused by seccomp, a memlock limit of 64 KiB.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cstddef>
#include <functional>

#include "core/executor/caller_executor.h"
#include "core/settings/settings_values.h"
#include "engine/local/local_testing.h"
#include "engine/local/system_engine.h"

namespace gpuio::local {
namespace {

constexpr uid_t kNobody = 65534;

/// Runs `work` in a child; its exit status (0 from `true`).
int in_child(const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work() ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

bool refuse_io_uring() {
  constexpr auto kNumber = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
  std::array<sock_filter, 4> filter{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// One engine driven by this thread; reads a file of 1 MiB around the cache into memory that is registered first.
struct Attempt {
  std::string explanation;
  std::string doctor;
  bool right = false;
};

Attempt read_a_file(const std::string& path, const std::vector<std::byte>& contents) {
  base::SystemClock clock;
  core::SettingsValues settings;
  auto executor = *core::CallerExecutor::create(clock);
  auto engine = make_engine({*executor, settings}, system_options());
  executor->attach(*engine);
  Attempt attempt;
  auto store = *engine->open(testing::uri_of(path), {});
  attempt.explanation = store->explain();
  for (const Finding& finding : engine->diagnose()) attempt.doctor += finding.text + " -> " + finding.fix + "\n";
  testing::AlignedMemory memory(contents.size());
  engine->register_memory(memory.data(), memory.size());
  const auto bytes = static_cast<std::uint32_t>(contents.size());
  testing::TestRun run(*store, spi::RunKind::read, spi::Way::direct, {{0, memory.data(), bytes, bytes}});
  store->start(run);
  while (run.finished == 0) executor->turn();
  engine->unregister_memory(memory.data());
  attempt.right = run.failures.empty() && std::memcmp(memory.data(), contents.data(), contents.size()) == 0;
  store.reset();
  executor->detach(*engine);
  return attempt;
}

class Sandbox : public ::testing::Test {
 protected:
  Sandbox() : folder_("/var/tmp"), path_(folder_.file("a")), contents_(testing::random_bytes(1 << 20, 1)) {
    testing::write_file(path_, contents_);
    if (chmod(folder_.path().c_str(), 0755) != 0) std::abort();
  }
  testing::TemporaryFolder folder_;
  std::string path_;
  std::vector<std::byte> contents_;
};

TEST_F(Sandbox, RefusedIoUringIsReplacedByThreadsAndTheReasonIsTold) {
  EXPECT_EQ(in_child([&] {
              if (!refuse_io_uring()) return false;
              const Attempt attempt = read_a_file(path_, contents_);
              if (attempt.explanation.find("threads (") != 0) return false;
              if (attempt.explanation.find("EPERM") == std::string::npos) return false;
              if (attempt.doctor.find("seccomp") == std::string::npos) return false;
              return attempt.right;
            }),
            0);
}

TEST_F(Sandbox, MemlockLimitOf64KiBCostsRegistrationAndNothingElse) {
  EXPECT_EQ(in_child([&] {
              const rlimit limit{64 << 10, 64 << 10};
              if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) return false;
              if (geteuid() == 0 && setuid(kNobody) != 0) return false;
              const Attempt attempt = read_a_file(path_, contents_);
              if (attempt.doctor.find("ulimit -l") == std::string::npos) return false;
              return attempt.right;
            }),
            0);
}

TEST_F(Sandbox, SameFileWithoutASandbox) {
  // In a child as well: the same road but for the filter.
  EXPECT_EQ(in_child([&] { return read_a_file(path_, contents_).right; }), 0);
}

}  // namespace
}  // namespace gpuio::local
