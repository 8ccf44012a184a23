// SPDX-License-Identifier: Apache-2.0
#include "core/mapping/sigbus_guard.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace gpuio::core {
namespace {

constexpr std::size_t kPage = 4096;

/// A shared mapping of a memory file, which the test may cut behind its back.
class CutFile {
 public:
  explicit CutFile(std::size_t pages) : bytes_(pages * kPage), file_(::memfd_create("gpuio-test", MFD_CLOEXEC)) {
    cut(pages);
    base_ = static_cast<std::byte*>(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0));
    if (base_ == MAP_FAILED) std::abort();
    for (std::size_t i = 0; i < bytes_; i += kPage) base_[i] = std::byte{7};
  }
  CutFile(const CutFile&) = delete;
  CutFile& operator=(const CutFile&) = delete;
  ~CutFile() { ::munmap(base_, bytes_); }

  void cut(std::size_t pages) {
    if (::ftruncate(file_.get(), static_cast<off_t>(pages * kPage)) != 0) std::abort();
  }
  [[nodiscard]] std::byte load(std::size_t page) const {
    return *static_cast<volatile std::byte*>(base_ + page * kPage);
  }
  void store(std::size_t page) { *static_cast<volatile std::byte*>(base_ + page * kPage) = std::byte{9}; }
  [[nodiscard]] std::byte* base() const { return base_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_;
  base::UniqueFd file_;
  std::byte* base_ = nullptr;
};

SigbusGuard guard(const CutFile& file) { return SigbusGuard::protect(file.base(), file.bytes(), kPage, true).value(); }

TEST(SigbusGuard, BytesCutOffReadAsZerosAndMarkTheGuard) {
  CutFile file(4);
  const SigbusGuard guarded = guard(file);
  file.cut(2);
  EXPECT_EQ(file.load(1), std::byte{7});
  EXPECT_FALSE(guarded.was_hit());
  EXPECT_EQ(file.load(3), std::byte{0});
  EXPECT_TRUE(guarded.was_hit());
  EXPECT_EQ(file.load(1), std::byte{7}) << "what is still there stays";
}

TEST(SigbusGuard, StoresToBytesCutOffGoNowhereAndKillNobody) {
  CutFile file(2);
  const SigbusGuard guarded = guard(file);
  file.cut(0);
  file.store(0);
  EXPECT_TRUE(guarded.was_hit());
  EXPECT_EQ(file.load(0), std::byte{9}) << "of this process alone";
}

TEST(SigbusGuard, OnlyTheGuardThatWasHitIsMarked) {
  CutFile one(1);
  CutFile other(1);
  const SigbusGuard first = guard(one);
  const SigbusGuard second = guard(other);
  one.cut(0);
  EXPECT_EQ(one.load(0), std::byte{0});
  EXPECT_TRUE(first.was_hit());
  EXPECT_FALSE(second.was_hit());
}

TEST(SigbusGuard, ManyGuardsAndManyThreadsAtOnce) {
  std::vector<std::unique_ptr<CutFile>> files;
  std::vector<SigbusGuard> guards;
  for (int i = 0; i < 300; ++i) {
    files.push_back(std::make_unique<CutFile>(1));
    guards.push_back(guard(*files.back()));
    files.back()->cut(0);
  }
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < files.size(); ++i)
        static_cast<void>(files[(i * (2 * t + 1)) % files.size()]->load(0));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const SigbusGuard& each : guards) EXPECT_TRUE(each.was_hit());
}

TEST(SigbusGuard, SlotOfAGuardThatWentServesTheNext) {
  for (int round = 0; round < 1000; ++round) {
    CutFile file(1);
    const SigbusGuard guarded = guard(file);
    EXPECT_FALSE(guarded.was_hit()) << round;
    file.cut(0);
    EXPECT_EQ(file.load(0), std::byte{0});
    EXPECT_TRUE(guarded.was_hit());
  }
}

TEST(SigbusGuard, GrownRangeIsGuardedToItsNewEnd) {
  CutFile file(2);
  SigbusGuard guarded = SigbusGuard::protect(file.base(), kPage, kPage, true).value();
  guarded.resize(2 * kPage);
  file.cut(0);
  EXPECT_EQ(file.load(1), std::byte{0});
  EXPECT_TRUE(guarded.was_hit());
}

// Each in a process of its own: the handler is the process's.
using SigbusGuardDeathTest = testing::Test;

void exit_with_17(int) { ::_exit(17); }
void exit_with_18(int, siginfo_t*, void*) { ::_exit(18); }

/// Faults outside every guard, with a guard alive.
void fault_unguarded() {
  CutFile guarded_file(1);
  const SigbusGuard guarded = guard(guarded_file);
  CutFile file(1);
  file.cut(0);
  static_cast<void>(file.load(0));
  ::_exit(0);
}

TEST(SigbusGuardDeathTest, FaultOutsideAllGuardsGoesToTheHandlerThatWasThere) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::signal(SIGBUS, exit_with_17);
        fault_unguarded();
      },
      testing::ExitedWithCode(17), "");
  EXPECT_EXIT(
      {
        struct sigaction theirs{};
        theirs.sa_sigaction = exit_with_18;
        theirs.sa_flags = SA_SIGINFO;
        ::sigaction(SIGBUS, &theirs, nullptr);
        fault_unguarded();
      },
      testing::ExitedWithCode(18), "");
}

TEST(SigbusGuardDeathTest, FaultOutsideAllGuardsKillsWhereNobodyElseHandlesIt) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::signal(SIGBUS, SIG_DFL);
        fault_unguarded();
      },
      testing::KilledBySignal(SIGBUS), "");
}

TEST(SigbusGuardDeathTest, SignalThatSomebodySentIsNoFault) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::signal(SIGBUS, exit_with_17);
        CutFile file(1);
        const SigbusGuard guarded = guard(file);
        ::kill(::getpid(), SIGBUS);
      },
      testing::ExitedWithCode(17), "");
}

}  // namespace
}  // namespace gpuio::core
