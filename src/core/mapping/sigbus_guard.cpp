// SPDX-License-Identifier: Apache-2.0
#include "core/mapping/sigbus_guard.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <thread>

#include "base/try.h"

namespace gpuio::core {

/// Written under the table's lock, read by the handler without one. A slot whose `end` is 0 guards nothing.
struct SigbusGuard::Slot {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};
  std::atomic<std::size_t> page_bytes{0};
  std::atomic<bool> writable{false};
  std::atomic<bool> hit{false};
  bool used = false;
};

namespace {

using Slot = SigbusGuard::Slot;

/// Blocks are added and never go, so the handler may walk them whenever it comes.
struct Block {
  std::array<Slot, 128> slots;
  std::atomic<Block*> next{nullptr};
};

class Table {
 public:
  Slot* take();
  static void give(Slot& slot) { slot.used = false; }
  [[nodiscard]] Slot* find(std::uintptr_t address) noexcept;
  [[nodiscard]] Status install();

  std::mutex mutex;
  std::atomic<std::uint32_t> handlers{0};  ///< At work now.
  struct sigaction before{};               ///< Fixed once `installed`.

 private:
  Block first_;
  bool installed_ = false;
};

/// Never destroyed: a guard may outlive every static object.
Table& table() noexcept {
  alignas(Table) static std::byte storage[sizeof(Table)];
  static auto* const made = new (storage) Table;
  return *made;
}

/// Puts zeros under the page of `address`. As a bare system call: of all that a handler may call, mmap is not promised.
bool replace_page(const Slot& slot, std::uintptr_t address) noexcept {
  const std::size_t page_bytes = slot.page_bytes.load(std::memory_order_relaxed);
  const int access = PROT_READ | (slot.writable.load(std::memory_order_relaxed) ? PROT_WRITE : 0);
  const std::uintptr_t page = address / page_bytes * page_bytes;
  const long mapped =
      ::syscall(SYS_mmap, page, page_bytes, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0L);
  return mapped == static_cast<long>(page);
}

void hand_on(int signal, siginfo_t* info, void* context) noexcept {
  const struct sigaction& before = table().before;
  if ((before.sa_flags & SA_SIGINFO) != 0) return before.sa_sigaction(signal, info, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
  const bool sent = info->si_code <= 0;
  if (sent && before.sa_handler == SIG_IGN) return;
  // Nobody else wants it: the instruction runs again, faults again and ends the process as if we had not been here.
  ::signal(signal, SIG_DFL);
  if (sent) ::raise(signal);
}

void handle(int signal, siginfo_t* info, void* context) noexcept {
  const int saved_errno = errno;
  Table& guards = table();
  guards.handlers.fetch_add(1, std::memory_order_seq_cst);
  bool handled = false;
  // Only what a load or store of this thread brought about carries an address of ours; kill(2) does not.
  if (info->si_code > 0) {
    const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    if (Slot* const slot = guards.find(address); slot != nullptr && replace_page(*slot, address)) {
      slot->hit.store(true, std::memory_order_release);
      handled = true;
    }
  }
  guards.handlers.fetch_sub(1, std::memory_order_seq_cst);
  if (!handled) hand_on(signal, info, context);
  errno = saved_errno;
}

Slot* Table::take() {
  for (Block* block = &first_;; block = block->next.load(std::memory_order_relaxed)) {
    for (Slot& slot : block->slots) {
      if (slot.used) continue;
      slot.used = true;
      return &slot;
    }
    if (block->next.load(std::memory_order_relaxed) == nullptr) {
      block->next.store(new Block, std::memory_order_release);  // NOLINT(cppcoreguidelines-owning-memory): for good
    }
  }
}

Slot* Table::find(std::uintptr_t address) noexcept {
  for (Block* block = &first_; block != nullptr; block = block->next.load(std::memory_order_acquire)) {
    for (Slot& slot : block->slots) {
      if (address < slot.end.load(std::memory_order_seq_cst) && address >= slot.begin.load(std::memory_order_relaxed)) {
        return &slot;
      }
    }
  }
  return nullptr;
}

Status Table::install() {
  if (installed_) return {};
  struct sigaction ours{};
  ours.sa_sigaction = handle;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&ours.sa_mask);
  // First what was before, then the handler that hands on to it.
  if (::sigaction(SIGBUS, nullptr, &before) != 0 || ::sigaction(SIGBUS, &ours, nullptr) != 0) {
    return Status::from_errno(errno, "can't install the handler of SIGBUS");
  }
  installed_ = true;
  return {};
}

}  // namespace

Result<SigbusGuard> SigbusGuard::protect(std::byte* base, std::size_t bytes, std::size_t page_bytes, bool writable) {
  Table& guards = table();
  const std::lock_guard lock(guards.mutex);
  GPUIO_TRY(guards.install());
  Slot* const slot = guards.take();
  const auto begin = reinterpret_cast<std::uintptr_t>(base);
  slot->hit.store(false, std::memory_order_relaxed);
  slot->begin.store(begin, std::memory_order_relaxed);
  slot->page_bytes.store(page_bytes, std::memory_order_relaxed);
  slot->writable.store(writable, std::memory_order_relaxed);
  slot->end.store(begin + bytes, std::memory_order_seq_cst);
  return SigbusGuard(slot);
}

SigbusGuard::~SigbusGuard() {
  if (slot_ == nullptr) return;
  slot_->end.store(0, std::memory_order_seq_cst);
  // A handler that found the slot before may still be about to map; it takes a system call's time.
  while (table().handlers.load(std::memory_order_seq_cst) != 0) std::this_thread::yield();
  const std::lock_guard lock(table().mutex);
  Table::give(*slot_);
}

void SigbusGuard::resize(std::size_t bytes) noexcept {
  slot_->end.store(slot_->begin.load(std::memory_order_relaxed) + bytes, std::memory_order_seq_cst);
}

bool SigbusGuard::was_hit() const noexcept { return slot_ != nullptr && slot_->hit.load(std::memory_order_acquire); }

}  // namespace gpuio::core
