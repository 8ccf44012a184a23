// SPDX-License-Identifier: Apache-2.0
// Processes of their own on one memfd, some of them killed.
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <functional>
#include <new>
#include <string>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "base/unique_fd.h"
#include "gpuio/context.hpp"
#include "gpuio/pool.hpp"

namespace gpuio {
namespace {

constexpr std::uint64_t kPoolBytes = 16U << 20;
constexpr std::uint64_t kWindow = 40;  ///< Objects that a writer keeps.

/// A memfd, mapped by all.
class SharedMemory {
 public:
  SharedMemory() : fd_(::memfd_create("pool", MFD_CLOEXEC)) {
    if (::ftruncate(fd_.get(), kPoolBytes + 4096) != 0) std::abort();
    base_ = ::mmap(nullptr, kPoolBytes + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    if (base_ == MAP_FAILED) std::abort();
    done_ = new (static_cast<std::byte*>(base_) + kPoolBytes) std::atomic<std::uint64_t>(0);
  }
  ~SharedMemory() { ::munmap(base_, kPoolBytes + 4096); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  [[nodiscard]] Buffer wrap(const Context& context) const {
    return context.device("host").value().wrap(base_, kPoolBytes, RegionKind::user).value();
  }
  [[nodiscard]] std::atomic<std::uint64_t>& done() const { return *done_; }  ///< How far a writer has come.

 private:
  base::UniqueFd fd_;
  void* base_ = nullptr;
  std::atomic<std::uint64_t>* done_ = nullptr;
};

/// Before any thread is started here, for fork.
pid_t start(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  try {
    work();
  } catch (...) {
    ::_exit(1);
  }
  ::_exit(0);
}

std::string name_of(std::uint64_t number) { return "object/" + std::to_string(number % (4 * kWindow)); }

std::vector<std::byte> bytes_of(std::uint64_t number) {
  base::Random random(number);
  std::vector<std::byte> bytes(8 + 512 * random.uniform(16));
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    const std::uint64_t word = at == 0 ? number : random.next();
    std::memcpy(bytes.data() + at, &word, 8);
  }
  return bytes;
}

/// What was read is what some writer published under that name, and nothing else.
bool is_right(const std::string& name, const std::vector<std::byte>& bytes) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data(), sizeof(number));
  return name == name_of(number) && bytes == bytes_of(number);
}

/// Publishes and removes in turn until its lease is lost, on a machine that stops processes for long.
void write_while_leased(const SharedMemory& memory, PoolMember& member) {
  const auto lost = [](const Status& status) { return status.code() == Code::stale; };
  for (std::uint64_t number = memory.done();; ++number) {
    const Status removed = member.remove(name_of(number + 3 * kWindow));
    if (lost(removed)) return;
    if (!removed.ok() && removed.code() != Code::not_found) ::_exit(3);
    const Status replaced = member.remove(name_of(number));  // Published, but not counted, when the last one died.
    if (lost(replaced)) return;
    if (!replaced.ok() && replaced.code() != Code::not_found) ::_exit(4);
    const Status published = member.publish(name_of(number), bytes_of(number));
    if (lost(published)) return;
    if (!published.ok()) ::_exit(5);
    memory.done() = number + 1;
  }
}

void write_forever(const SharedMemory& memory, bool known_dead) {
  const Context context = Context::create().value();
  const Buffer buffer = memory.wrap(context);
  const Pool pool = Pool::open(buffer).value();
  JoinOptions options{.rank = 0};
  if (known_dead) options.dead_incarnation = pool.members()[0].incarnation;
  for (;;) {
    PoolMember member = pool.join(options).value();
    if (member.lost_objects() != 0) ::_exit(2);
    write_while_leased(memory, member);
    options.dead_incarnation = member.incarnation();
  }
}

void run_to(const SharedMemory& memory, std::uint64_t number, pid_t writer) {
  while (memory.done() < number) {
    int status = 0;
    ASSERT_EQ(::waitpid(writer, &status, WNOHANG), 0) << "the writer ended by itself, status " << status;
    ::sched_yield();
  }
}

class PoolProcesses : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    const pid_t maker = start([this] {
      const Context context = Context::create().value();
      const Buffer buffer = memory_.wrap(context);
      static_cast<void>(Pool::create(buffer, {.members_max = 2,
                                              .objects_per_member_max = 256,
                                              .block_bytes = 512,
                                              .coherent = GetParam(),
                                              .lease_ns = 2'000'000'000,
                                              .settle_ns = 1'000'000})
                            .value());
    });
    int status = -1;
    ASSERT_EQ(::waitpid(maker, &status, 0), maker);
    ASSERT_EQ(status, 0);
  }

  SharedMemory memory_;
};

INSTANTIATE_TEST_SUITE_P(, PoolProcesses, ::testing::Bool(),
                         [](const auto& chosen) { return chosen.param ? "Coherent" : "Flushed"; });

TEST_P(PoolProcesses, AWriterKilledAtAnyMomentLeavesAPoolThatTheNextGoesOnWith) {
  constexpr int kLives = 25;
  base::Random random(7);
  std::uint64_t goal = 0;
  for (int life = 0; life < kLives; ++life) {
    // The first after a death waits until the lease has run out; the others were told.
    const pid_t writer = start([this, life] { write_forever(memory_, life > 1); });
    goal = memory_.done() + 1 + random.uniform(300);
    ASSERT_NO_FATAL_FAILURE(run_to(memory_, goal, writer));
    ASSERT_EQ(::kill(writer, SIGKILL), 0);
    ASSERT_EQ(::waitpid(writer, nullptr, 0), writer);
  }
  const Context context = Context::create().value();
  const Buffer buffer = memory_.wrap(context);
  const Pool pool = Pool::open(buffer).value();
  PoolMember heir = pool.join({.rank = 0, .dead_incarnation = pool.members()[0].incarnation}).value();
  EXPECT_EQ(heir.lost_objects(), 0U);
  const PoolReport report = pool.verify();
  EXPECT_EQ(report.findings, std::vector<std::string>());
  EXPECT_EQ(report.unfinished, 0U);
  EXPECT_GE(report.objects, kWindow - 1);
  for (const PoolObjectInfo& object : pool.objects()) {
    std::vector<std::byte> bytes(object.bytes);
    ASSERT_TRUE(pool.find(object.name)->read(bytes).ok());
    EXPECT_TRUE(is_right(object.name, bytes)) << object.name;
    EXPECT_TRUE(heir.remove(object.name).ok());
  }
}

TEST_P(PoolProcesses, AReaderBesideAWriterThatRemovesGetsTheObjectOrAnError) {
  const pid_t writer = start([this] { write_forever(memory_, false); });
  const pid_t reader = start([this] {
    const Context context = Context::create().value();
    const Buffer buffer = memory_.wrap(context);
    const Pool pool = Pool::open(buffer).value();
    base::Random random(3);
    std::uint64_t read = 0;
    while (read < 2'000) {
      const std::string name = name_of(random.uniform(4 * kWindow));
      const Result<PoolObject> object = pool.find(name);
      if (!object) {
        if (object.error().code() != Code::not_found) ::_exit(2);
        continue;
      }
      std::vector<std::byte> bytes(object->size());
      const Status status = object->read(bytes);
      if (status.code() == Code::stale) continue;
      if (!status.ok()) ::_exit(3);
      if (!is_right(name, bytes)) ::_exit(4);
      ++read;
    }
  });
  int status = -1;
  EXPECT_EQ(::waitpid(reader, &status, 0), reader);
  EXPECT_EQ(status, 0) << "reader's exit code " << WEXITSTATUS(status);
  EXPECT_EQ(::waitpid(writer, nullptr, WNOHANG), 0);
  ::kill(writer, SIGKILL);
  ::waitpid(writer, nullptr, 0);
}

}  // namespace
}  // namespace gpuio
