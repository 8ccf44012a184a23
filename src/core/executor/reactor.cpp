// SPDX-License-Identifier: Apache-2.0
#include "core/executor/reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

namespace gpuio::core {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

timespec to_timespec(std::uint64_t ns) noexcept {
  timespec time{};
  time.tv_sec = static_cast<time_t>(ns / kNsPerSecond);
  time.tv_nsec = static_cast<long>(ns % kNsPerSecond);
  return time;
}

/// An address that no other thread has: cheaper to compare than thread ids.
const void* this_thread() noexcept {
  static thread_local const char mark = 0;
  return &mark;
}

int wait_for_events(int epoll, epoll_event* events, int capacity, const timespec* timeout) noexcept {
  static std::atomic<bool> has_nanoseconds{true};
  if (has_nanoseconds.load(std::memory_order_relaxed)) {
    const int count = ::epoll_pwait2(epoll, events, capacity, timeout, nullptr);
    // Sandboxes answer EPERM where they know no such call.
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
    has_nanoseconds.store(false, std::memory_order_relaxed);
  }
  int milliseconds = -1;
  if (timeout != nullptr) {
    const std::int64_t rounded_up = (timeout->tv_nsec + 999'999) / 1'000'000;
    milliseconds = static_cast<int>(std::min<std::int64_t>(timeout->tv_sec, 1'000'000) * 1000 + rounded_up);
  }
  return ::epoll_wait(epoll, events, capacity, milliseconds);
}

bool add_to_epoll(int epoll, int fd, std::uint32_t events) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Result<std::unique_ptr<Reactor>> Reactor::create(base::Clock& clock) {
  std::unique_ptr<Reactor> reactor(new Reactor(clock));
  reactor->epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!reactor->epoll_) return Status::from_errno(errno, "no epoll for the reactor");
  reactor->bell_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!reactor->bell_) return Status::from_errno(errno, "no eventfd for the reactor");
  reactor->alarm_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!reactor->alarm_) return Status::from_errno(errno, "no timerfd for the reactor");
  if (!add_to_epoll(reactor->epoll_.get(), reactor->bell_.get(), EPOLLIN) ||
      !add_to_epoll(reactor->epoll_.get(), reactor->alarm_.get(), EPOLLIN)) {
    return Status::from_errno(errno, "epoll refuses the reactor's descriptors");
  }
  return reactor;
}

void Reactor::attach(spi::Pollable& machine) {
  {
    const std::lock_guard lock(mutex_);
    entries_.push_back({&machine, -1});
  }
  wake();
}

void Reactor::detach(spi::Pollable& machine) {
  std::unique_lock lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.machine != &machine) continue;
    watch(entry, -1);
    entry.machine = nullptr;
  }
  if (is_driver()) return;
  ++detaching_;
  polled_.wait(lock, [&] { return current_ != &machine; });
  --detaching_;
}

void Reactor::wake() noexcept {
  // An exchange, not a load first: the reactor must see what was written before this even if it was already asked.
  if (state_.exchange(State::asked) == State::asleep) ring();
}

void Reactor::ring() noexcept {
  const std::uint64_t one = 1;
  // Fails only when it is already readable.
  [[maybe_unused]] const ssize_t written = ::write(bell_.get(), &one, sizeof one);
}

bool Reactor::try_enter() noexcept {
  const void* nobody = nullptr;
  return driver_.compare_exchange_strong(nobody, this_thread());
}

void Reactor::leave() noexcept { driver_ = nullptr; }

bool Reactor::is_driver() const noexcept { return driver_.load(std::memory_order_relaxed) == this_thread(); }

Reactor::Round Reactor::round() {
  Round round;
  round.worked = state_.exchange(State::awake) == State::asked;
  const std::uint64_t now = clock_.now_ns();
  std::unique_lock lock(mutex_);
  std::erase_if(entries_, [](const Entry& entry) { return entry.machine == nullptr; });
  for (std::size_t i = 0; i < entries_.size(); ++i) {  // by index: a poll may attach another
    spi::Pollable* machine = entries_[i].machine;
    if (machine == nullptr) continue;
    current_ = machine;
    lock.unlock();
    const std::uint64_t next_ns = machine->poll(now);
    lock.lock();
    current_ = nullptr;
    // The descriptor may have come with this very poll: io_uring's is made where it is used.
    if (entries_[i].machine == machine) watch(entries_[i], machine->wake_fd());
    if (detaching_ > 0) polled_.notify_all();
    round.next_ns = std::min(round.next_ns, next_ns);
  }
  round.worked = round.worked || round.next_ns <= now;
  return round;
}

void Reactor::watch(Entry& entry, int fd) noexcept {
  if (entry.fd == fd) return;
  if (entry.fd >= 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, entry.fd, nullptr);
  // Each time it rings anew: the machine is polled then, so it need not be quietened by a system call of its own.
  entry.fd = fd >= 0 && add_to_epoll(epoll_.get(), fd, EPOLLIN | EPOLLET) ? fd : -1;
}

void Reactor::sleep(std::uint64_t until_ns) noexcept {
  State awake = State::awake;
  if (!state_.compare_exchange_strong(awake, State::asleep)) return;
  collect(until_ns);
}

bool Reactor::collect(std::uint64_t until_ns) noexcept {
  std::array<epoll_event, 16> events;
  timespec timeout{};
  if (until_ns != 0 && until_ns != spi::kNever) {
    const std::uint64_t now = clock_.now_ns();
    timeout = to_timespec(until_ns > now ? until_ns - now : 0);
  }
  const int count = wait_for_events(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                    until_ns == spi::kNever ? nullptr : &timeout);
  for (int i = 0; i < count; ++i) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    if (fd != bell_.get() && fd != alarm_.get()) continue;
    std::uint64_t ignored = 0;
    if (::read(fd, &ignored, sizeof ignored) > 0 && fd == alarm_.get()) alarm_ns_ = spi::kNever;
  }
  return count > 0;
}

void Reactor::rest(std::uint64_t next_ns) noexcept {
  if (next_ns != alarm_ns_) {
    itimerspec alarm{};
    if (next_ns != spi::kNever) alarm.it_value = to_timespec(std::max<std::uint64_t>(next_ns, 1));  // 0 would disarm it
    ::timerfd_settime(alarm_.get(), TFD_TIMER_ABSTIME, &alarm, nullptr);
    alarm_ns_ = next_ns;
  }
  State awake = State::awake;
  if (!state_.compare_exchange_strong(awake, State::asleep) && awake == State::asked) ring();
}

}  // namespace gpuio::core
