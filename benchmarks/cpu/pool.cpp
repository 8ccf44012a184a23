// SPDX-License-Identifier: Apache-2.0
// mem.pool: objects of 4 KiB from one process to another, through a pool in a memfd: published, found by name, copied
// out and proven, removed.

#include "gpuio/pool.hpp"

#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <new>
#include <stdexcept>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "cpu/measurements.h"
#include "harness/alternate.h"

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kPoolBytes = 64U << 20;
constexpr std::uint64_t kObjectBytes = 4096;
constexpr std::uint64_t kObjects = 300'000;
constexpr std::uint64_t kAhead = 1'000;  ///< Objects that are there at once, at most.

class Name {
 public:
  explicit Name(std::uint64_t number) {
    text_ = {'k', 'v', '/'};
    end_ = std::to_chars(text_.data() + 3, text_.data() + text_.size(), number).ptr;
  }
  operator std::string_view() const { return {text_.data(), end_}; }  // NOLINT(google-explicit-constructor)

 private:
  std::array<char, 32> text_{};
  const char* end_ = nullptr;
};

/// A pool that two processes map, and how far the reader has come: what keeps the writer from running away.
struct SharedPool {
  SharedPool() {
    const base::UniqueFd fd(::memfd_create("mem.pool", MFD_CLOEXEC));
    if (::ftruncate(fd.get(), kPoolBytes + 4096) != 0) throw std::runtime_error("no memory for a pool");
    void* const base = ::mmap(nullptr, kPoolBytes + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (base == MAP_FAILED) throw std::runtime_error("a memfd can't be mapped");
    memory = static_cast<std::byte*>(base);
    read = new (memory + kPoolBytes) std::atomic<std::uint64_t>(0);
  }
  ~SharedPool() { ::munmap(memory, kPoolBytes + 4096); }
  SharedPool(const SharedPool&) = delete;
  SharedPool& operator=(const SharedPool&) = delete;

  [[nodiscard]] Buffer wrap(const Context& context) const {
    return context.device("host").value().wrap(memory, kPoolBytes, RegionKind::user).value();
  }

  std::byte* memory = nullptr;
  std::atomic<std::uint64_t>* read = nullptr;
};

void read_all(const SharedPool& shared) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const Context context = make_context();
  const Buffer memory = shared.wrap(context);
  Result<Pool> pool = Pool::open(memory);
  while (!pool) pool = Pool::open(memory);  // The writer makes it.
  std::array<std::byte, kObjectBytes> bytes{};
  for (std::uint64_t number = 0;; ++number) {
    const Name name(number);
    Result<PoolObject> object = pool->find(name);
    while (!object) object = pool->find(name);
    if (!object->read(bytes).ok() || bytes[8] != static_cast<std::byte>(number)) ::_exit(1);
    shared.read->store(number + 1, std::memory_order_release);
  }
}

/// A reader in a process of its own, and a writer that feeds it. Made before this process has threads.
class Pair {
 public:
  explicit Pair(bool coherent) : coherent_(coherent), child_(::fork()) {
    if (child_ < 0) throw std::runtime_error("fork failed");
    if (child_ == 0) read_all(shared_);
  }
  ~Pair() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  void open(const Context& context) {
    memory_ = shared_.wrap(context);
    const Pool pool = Pool::create(memory_, {.members_max = 2, .coherent = coherent_}).value();
    member_.emplace(pool.join().value());
  }

  /// Until all that was published was read.
  void feed(std::uint64_t objects) {
    std::array<std::byte, kObjectBytes> bytes{};
    for (const std::uint64_t end = next_ + objects; next_ != end; ++next_) {
      if (next_ >= kAhead) {
        wait_for(next_ - kAhead + 1);
        throw_if_failed(member_->remove(Name(next_ - kAhead)));
      }
      bytes[8] = static_cast<std::byte>(next_);
      throw_if_failed(member_->publish(Name(next_), bytes));
    }
    wait_for(next_);
  }

 private:
  void wait_for(std::uint64_t read) const {
    while (shared_.read->load(std::memory_order_acquire) < read) {
      if (::waitpid(child_, nullptr, WNOHANG) != 0) throw std::runtime_error("the reader met a wrong object");
      for (int i = 0; i < 1000 && shared_.read->load(std::memory_order_acquire) < read; ++i) __builtin_ia32_pause();
    }
  }

  const bool coherent_;
  SharedPool shared_;
  const pid_t child_;
  Buffer memory_;
  std::optional<PoolMember> member_;
  std::uint64_t next_ = 0;
};

}  // namespace

void pool(const Options& options, Samples& samples) {
  const auto run = [](bool coherent) {
    return [coherent](unsigned) {
      Pair pair(coherent);
      const Context context = make_context();
      pair.open(context);
      pair.feed(kAhead);
      return timed([&](Sample& sample) {
        pair.feed(kObjects);
        sample.operations = kObjects;
        sample.bytes = kObjects * kObjectBytes;
      });
    };
  };
  alternate(samples, {{"gpuio", run(true)}, {"gpuio, flushed lines", run(false)}}, options.rounds_or(10));
}

}  // namespace gpuio::bench
