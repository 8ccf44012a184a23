// SPDX-License-Identifier: Apache-2.0
#include "engine/local/uring_queue.h"

#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/try.h"
#include "base/unique_fd.h"

namespace gpuio::local {
namespace {

constexpr unsigned kBuffersMax = 64;
constexpr std::size_t kBufferBytesMax = 1ULL << 30;  // the kernel's limit for one registered buffer
constexpr int kFilesMax = 1024;
constexpr std::uint64_t kNobody = ~std::uint64_t{0};  // user data of operations whose result nobody waits for

// Best first; the first that the kernel takes is used. The thread that will poll is not known yet (R_DISABLED).
constexpr unsigned kAlways = IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP;
constexpr std::array kSingleThreadFlags{
    kAlways | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    kAlways | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, unsigned{IORING_SETUP_R_DISABLED}};
// Without these, completions don't wait for the thread that submitted to come by.
constexpr std::array kAnyThreadFlags{kAlways, unsigned{IORING_SETUP_R_DISABLED}};

Status refused(const char* step, int error) {
  return Status::from_errno(error, std::string("io_uring: ") + step + " failed");
}

class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    if (ring_.ring_fd >= 0) io_uring_queue_exit(&ring_);
  }

  Status set_up(const UringOptions& options) {
    std::span<const unsigned> choices = kAnyThreadFlags;
    if (options.single_thread) choices = kSingleThreadFlags;
    int error = EINVAL;
    for (const unsigned flags : choices) {
      io_uring_params parameters{};
      parameters.flags = flags;
      error = -io_uring_queue_init_params(options.depth, &ring_, &parameters);
      if (error == 0) {
        io_uring_ring_dontfork(&ring_);
        return {};
      }
      ring_.ring_fd = -1;
      if (error != EINVAL) break;
    }
    return refused("setup", error);
  }

  Status enable() {
    // liburing 2.3 declares io_uring_enable_rings and does not export it.
    const auto ring = static_cast<unsigned>(ring_.ring_fd);
    const int result = io_uring_register(ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    return result == 0 ? Status() : refused("enabling", -result);
  }

  io_uring* operator->() noexcept { return &ring_; }
  io_uring* get() noexcept { return &ring_; }

 private:
  io_uring ring_ = [] {
    io_uring ring{};
    ring.ring_fd = -1;
    return ring;
  }();
};

/// One operation that has been prepared, from submission to result.
Status run_one(Ring& ring, const char* step, int expected) {
  const int submitted = io_uring_submit_and_wait(ring.get(), 1);
  if (submitted != 1) return refused(step, submitted < 0 ? -submitted : EIO);
  io_uring_cqe* cqe = nullptr;
  if (const int result = io_uring_peek_cqe(ring.get(), &cqe); result != 0) return refused(step, -result);
  const int result = cqe->res;
  io_uring_cqe_seen(ring.get(), cqe);
  return result == expected ? Status() : refused(step, result < 0 ? -result : EIO);
}

/// Version numbers and feature bits say little in a sandbox; this does what the queue will do.
Status try_out(UringOptions options) {
  options.depth = 2;
  Ring ring;
  GPUIO_TRY(ring.set_up(options));
  GPUIO_TRY(ring.enable());
  io_uring_prep_nop(io_uring_get_sqe(ring.get()));
  GPUIO_TRY(run_one(ring, "a no-op", 0));
  const int file = memfd_create("gpuio-probe", MFD_CLOEXEC);
  if (file < 0) return refused("making a file to read", errno);
  std::array<char, 8> bytes{'p', 'r', 'o', 'b', 'e'};
  Status status = refused("writing a file to read", EIO);
  if (pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())) {
    io_uring_prep_read(io_uring_get_sqe(ring.get()), file, bytes.data(), bytes.size(), 0);
    status = run_one(ring, "a read", bytes.size());
  }
  close(file);
  return status;
}

class UringQueue final : public spi::StorageQueue {
 public:
  explicit UringQueue(const UringOptions& options) : options_(options) {}

  Status set_up() {
    GPUIO_TRY(ring_.set_up(options_));
    // The ring's own descriptor does not wake pollers while completions wait for the submitting thread (Linux 6.18).
    wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_) return refused("making an eventfd", errno);
    const int result = io_uring_register_eventfd(ring_.get(), wake_.get());
    if (result != 0) return refused("registering an eventfd", -result);
    // Tables to be filled later; without them the plain operations are used.
    has_buffers_ = io_uring_register_buffers_sparse(ring_.get(), kBuffersMax) == 0;
    has_files_ = io_uring_register_files_sparse(ring_.get(), unsigned{kFilesMax}) == 0;
    buffers_.assign(has_buffers_ ? kBuffersMax : 0, {});
    for (int slot = has_files_ ? kFilesMax : 0; slot > 0; --slot) free_files_.push_back(slot - 1);
    return {};
  }

  std::string_view name() const noexcept override { return "io_uring"; }
  int wake_fd() const noexcept override { return wake_.get(); }

  std::size_t submit(std::span<const spi::StorageOperation> operations) override;
  std::size_t reap(std::span<spi::StorageResult> results) override;
  void cancel(std::uint64_t cookie) override;
  void register_memory(std::byte* base, std::size_t bytes) override;
  void unregister_memory(std::byte* base) override;
  void forget(spi::FileHandle file) override;

 private:
  struct Buffer {
    std::byte* base = nullptr;
    std::size_t bytes = 0;
  };

  bool enable();
  void prepare(io_uring_sqe& sqe, const spi::StorageOperation& operation);
  int buffer_of(const spi::StorageOperation& operation) const noexcept;
  int file_slot_of(spi::FileHandle file);

  UringOptions options_;
  Ring ring_;
  base::UniqueFd wake_;
  bool enabled_ = false;
  bool has_buffers_ = false;
  bool has_files_ = false;
  std::vector<Buffer> buffers_;
  std::vector<int> file_slots_;  // by descriptor; -1: none
  std::vector<int> free_files_;
};

bool UringQueue::enable() {
  if (enabled_) return true;
  if (!ring_.enable().ok()) return false;
  // The registered number is valid in this thread only.
  if (options_.single_thread) io_uring_register_ring_fd(ring_.get());
  return enabled_ = true;
}

std::size_t UringQueue::submit(std::span<const spi::StorageOperation> operations) {
  if (!enable()) return 0;
  std::size_t taken = 0;
  for (const spi::StorageOperation& operation : operations) {
    io_uring_sqe* sqe = io_uring_get_sqe(ring_.get());
    if (sqe == nullptr) break;
    prepare(*sqe, operation);
    ++taken;
  }
  // What the kernel does not take now (EAGAIN, EBUSY, EINTR) stays in the ring and goes with the next call. The same
  // call brings the results that are there.
  io_uring_submit_and_get_events(ring_.get());
  return taken;
}

void UringQueue::prepare(io_uring_sqe& sqe, const spi::StorageOperation& operation) {
  using Kind = spi::StorageOperation::Kind;
  const int slot = file_slot_of(operation.file);
  const int file = slot >= 0 ? slot : operation.file;
  const int buffer = operation.kind == Kind::flush ? -1 : buffer_of(operation);
  switch (operation.kind) {
    case Kind::read:
      if (buffer >= 0) {
        io_uring_prep_read_fixed(&sqe, file, operation.memory, operation.bytes, operation.offset, buffer);
      } else {
        io_uring_prep_read(&sqe, file, operation.memory, operation.bytes, operation.offset);
      }
      break;
    case Kind::write:
      if (buffer >= 0) {
        io_uring_prep_write_fixed(&sqe, file, operation.memory, operation.bytes, operation.offset, buffer);
      } else {
        io_uring_prep_write(&sqe, file, operation.memory, operation.bytes, operation.offset);
      }
      break;
    case Kind::flush:
      io_uring_prep_fsync(&sqe, file, IORING_FSYNC_DATASYNC);
      break;
  }
  if (slot >= 0) io_uring_sqe_set_flags(&sqe, IOSQE_FIXED_FILE);
  io_uring_sqe_set_data64(&sqe, operation.cookie);
}

std::size_t UringQueue::reap(std::span<spi::StorageResult> results) {
  if (!enabled_) return 0;
  if (io_uring_sq_ready(ring_.get()) != 0) io_uring_submit(ring_.get());
  std::array<io_uring_cqe*, 64> cqes;
  const auto wanted = static_cast<unsigned>(std::min(results.size(), cqes.size()));
  // Runs the kernel's deferred work first if the ring's flag says that there is some. The descriptor is never read:
  // what comes after this look rings again, and that is all that its watcher goes by.
  const unsigned count = io_uring_peek_batch_cqe(ring_.get(), cqes.data(), wanted);
  std::size_t given = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (cqes[i]->user_data == kNobody) continue;
    results[given++] = {cqes[i]->user_data, cqes[i]->res};
  }
  io_uring_cq_advance(ring_.get(), count);
  return given;
}

void UringQueue::cancel(std::uint64_t cookie) {
  if (!enabled_) return;
  io_uring_sqe* sqe = io_uring_get_sqe(ring_.get());
  if (sqe == nullptr) return;
  io_uring_prep_cancel64(sqe, cookie, 0);
  io_uring_sqe_set_data64(sqe, kNobody);
}

int UringQueue::buffer_of(const spi::StorageOperation& operation) const noexcept {
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    const Buffer& buffer = buffers_[i];
    if (operation.memory >= buffer.base && operation.memory + operation.bytes <= buffer.base + buffer.bytes) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

void UringQueue::register_memory(std::byte* base, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes; done += kBufferBytesMax) {
    const auto free = std::find_if(buffers_.begin(), buffers_.end(), [](const Buffer& b) { return b.base == nullptr; });
    if (free == buffers_.end()) return;
    const Buffer buffer{base + done, std::min(bytes - done, kBufferBytesMax)};
    const iovec vector{buffer.base, buffer.bytes};
    const auto slot = static_cast<unsigned>(free - buffers_.begin());
    // ENOMEM (memlock limit) and EFAULT (not anonymous memory) only mean that the kernel maps it anew each time.
    if (io_uring_register_buffers_update_tag(ring_.get(), slot, &vector, nullptr, 1) != 1) return;
    *free = buffer;
  }
}

void UringQueue::unregister_memory(std::byte* base) {
  // The pieces of one registration follow each other.
  std::byte* next = base;
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    if (buffers_[i].base != next || next == nullptr) continue;
    next += buffers_[i].bytes;
    const bool more = buffers_[i].bytes == kBufferBytesMax;
    const iovec nothing{nullptr, 0};
    io_uring_register_buffers_update_tag(ring_.get(), static_cast<unsigned>(i), &nothing, nullptr, 1);
    buffers_[i] = {};
    if (!more) return;
  }
}

int UringQueue::file_slot_of(spi::FileHandle file) {
  const auto index = static_cast<std::size_t>(file);
  if (index >= file_slots_.size()) file_slots_.resize(index + 1, -1);
  if (file_slots_[index] >= 0 || free_files_.empty()) return file_slots_[index];
  const int slot = free_files_.back();
  if (io_uring_register_files_update(ring_.get(), static_cast<unsigned>(slot), &file, 1) != 1) return -1;
  free_files_.pop_back();
  return file_slots_[index] = slot;
}

void UringQueue::forget(spi::FileHandle file) {
  const auto index = static_cast<std::size_t>(file);
  if (index >= file_slots_.size() || file_slots_[index] < 0) return;
  const int none = -1;
  io_uring_register_files_update(ring_.get(), static_cast<unsigned>(file_slots_[index]), &none, 1);
  free_files_.push_back(file_slots_[index]);
  file_slots_[index] = -1;
}

}  // namespace

Result<std::unique_ptr<spi::StorageQueue>> make_uring_queue(const UringOptions& options) {
  GPUIO_TRY(try_out(options));
  auto queue = std::make_unique<UringQueue>(options);
  GPUIO_TRY(queue->set_up());
  return std::unique_ptr<spi::StorageQueue>(std::move(queue));
}

}  // namespace gpuio::local
