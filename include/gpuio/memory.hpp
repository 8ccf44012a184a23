// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gpuio/dev/scope.h"
#include "gpuio/placement.hpp"
#include "gpuio/result.hpp"

namespace gpuio {

namespace core {
class Region;
class RegionPin;
}  // namespace core

/// What a Region is made of. What can be done with it is asked with Ability, never inferred from the kind.
enum class RegionKind : std::uint8_t {
  device,  ///< The accelerator's own memory; on the host device, ordinary memory.
  pinned,  ///< Host memory that copy engines and the kernel's io_uring may use at any time;
           ///< its owner bounds it, not memory.pinned_budget_bytes.
  mapped,  ///< Host memory that kernels read in rows at the link's rate.
  user,    ///< Memory that the caller owns and only lends (Device::wrap).
  shared,  ///< Memory that others see too: a mapped Store (Context::map), another process's Region (share.hpp).
};

std::string_view to_string(RegionKind kind) noexcept;

/// Something that a Region, a device or an engine may or may not be able to do.
enum class Ability : std::uint8_t {
  host_load_store,       ///< Host code may read and write it through a pointer.
  device_load_store,     ///< Kernels of its device may.
  device_copy,           ///< The device's copy engine may read and write it.
  storage_fixed,         ///< The kernel's io_uring takes it as a fixed buffer.
  host_atomics,          ///< Atomic operations by host code.
  device_atomics,        ///< Atomic operations by kernels.
  mapped_regions,        ///< The device offers Regions of kind `mapped`.
  pinned_regions,        ///< The device offers Regions of kind `pinned`.
  register_read_only,    ///< The device can register a file's own pages without write access.
  stream_wait_word,      ///< A stream can wait for a word in host memory without a host thread.
  graphs,                ///< Streams can be captured and replayed.
  peer_copy,             ///< Copies between any two devices of this kind.
  dmabuf_export,         ///< Memory can be exported as a dma-buf.
  storage_peer_to_peer,  ///< Storage can write device memory without passing host memory.
  trace_ranges,          ///< Ranges appear in the vendor's profiler (NVTX).
  coherent,              ///< Whoever reaches it sees others' stores without acquire, release and flush.
  host_native_atomics,   ///< Atomic operations of its kernels on host memory are atomic for host code too.
};

std::string_view to_string(Ability ability) noexcept;

/// How mapped bytes are going to be used (Buffer::advise).
enum class MemoryAdvice : std::uint8_t {
  normal,      ///< Nothing is known.
  sequential,  ///< From front to back: read well ahead.
  random,      ///< Anywhere: read nothing ahead.
  will_need,   ///< All of it, soon: start reading now.
  wont_need,   ///< Not soon: its pages may go first. Nothing is lost; they come again from the Store.
};

/// The answer to "can you?": yes, or no with the reason.
struct Capability {
  bool available = false;  ///< Yes or no.
  std::string reason;      ///< Why not, and what would change it; empty or a remark where available.

  explicit operator bool() const noexcept { return available; }
};

/// How far memory can be reached from.
enum class Reach : std::uint8_t {
  process,  ///< This process and its devices.
  host,     ///< Other processes of this machine as well.
  pool,     ///< Other machines as well: a pool that several are attached to.
};

/// With whom memory is shared, and whether caches are kept coherent between them all.
struct Sharing {
  Reach reach = Reach::process;  ///< Who else loads and stores it.
  bool coherent = true;          ///< False: what one stores another sees only after release, and acquire.
};

/// Who loads, stores and updates.
enum class Processor : std::uint8_t {
  host,    ///< Host code.
  device,  ///< Kernels of the memory's device.
};

class Pin;

/// Borrows part of a Region: what transfers read and write. Copyable, cheap.
///
/// Does not keep the Region alive: once the Buffer is freed, every use of the Slice fails with `stale` (generations
/// catch that also after the addresses were given out again). A Request holds the Region from the call on, so freeing
/// the Buffer while a Request runs is safe. Thread safety: as a pointer and a length.
class Slice {
 public:
  Slice() = default;

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }  ///< In bytes.

  /// The address in the unified address space; null when empty or stale. Host code may dereference it only where
  /// `can(Ability::host_load_store)`. Valid while the Region is; take a Pin to be sure of that.
  [[nodiscard]] std::byte* data() const noexcept;

  [[nodiscard]] Capability can(Ability ability) const;  ///< What can be done with it, with the reason where not.

  /// Whether `by` may update words of `bits` (32 or 64) here so that it is atomic for all in `scope`. Where not, the
  /// reason says why and what would help: another alignment, a narrower scope, DelegatedAtomics (atomics.hpp). No, too,
  /// where nobody of that scope reaches the memory. Costs nothing.
  [[nodiscard]] Capability atomics(Processor by, dev::Scope scope, unsigned bits) const;

  /// A part of this part. Fails with `out_of_range` unless `offset + length <= size()`.
  [[nodiscard]] Result<Slice> slice(std::uint64_t offset, std::uint64_t length) const;

  /// Where its pages are now. Asks the kernel for every page: some 100 ns each. Fails with `stale`, `unsupported` (an
  /// accelerator's own memory; a sandbox).
  [[nodiscard]] Result<PlacementReport> placement() const;

  /// Moves its pages to where `placement` wants them while everybody may go on using them; addresses stay. Whole pages:
  /// neighbours on the first and the last come along. Pages that are not there yet will come where it says. Pages that
  /// could not be moved are in the report, with reasons; they are no failure.
  ///
  /// Blocks for as long as it takes: tell by the report. Fails, and has moved nothing then, with `busy` (kind `pinned`,
  /// a Pin, or registered with an accelerator: devices hold the pages), `unsupported` (an accelerator's own memory, or
  /// placed by its driver; a sandbox), `out_of_memory` (strict, and no room), and as Device::allocate for the
  /// placement.
  [[nodiscard]] Result<MigrationReport> migrate(const Placement& placement) const;

  /// Keeps the Region's addresses valid while the Pin lives. Fails with `stale` after the Buffer was freed.
  [[nodiscard]] Result<Pin> pin() const;

 private:
  friend class Buffer;
  friend class core::Region;
  Slice(std::weak_ptr<core::Region> region, std::uint64_t offset, std::uint64_t size, std::uint64_t generation);

  std::weak_ptr<core::Region> region_;
  std::uint64_t offset_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t generation_ = 0;
};

/// Keeps a Region's addresses valid: as long as one lives, freeing or moving the Region fails with `busy`.
/// Launches take Pins because no host code runs between their capture and their replay. Movable, not copyable.
class Pin {
 public:
  Pin() = default;
  [[nodiscard]] std::byte* data() const noexcept { return data_; }     ///< Valid while this Pin lives.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }  ///< In bytes.
  [[nodiscard]] explicit operator bool() const noexcept { return hold_ != nullptr; }

 private:
  friend class Slice;
  friend class core::RegionPin;
  std::unique_ptr<core::RegionPin, void (*)(core::RegionPin*)> hold_{nullptr, nullptr};
  std::byte* data_ = nullptr;
  std::uint64_t size_ = 0;
};

/// Owns a Region. Movable, not copyable; the destructor frees it.
///
/// Freeing waits for nothing: Requests that still use the Region hold it until they are quiet, and the memory goes back
/// to the system then. Thread safety: const members from any thread; free and destruction from one.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(Buffer&&) noexcept;  ///< Frees what it owned.
  ~Buffer();

  [[nodiscard]] std::uint64_t size() const noexcept;            ///< In bytes.
  [[nodiscard]] std::byte* data() const noexcept;               ///< As Slice::data.
  [[nodiscard]] RegionKind kind() const noexcept;               ///< What it is made of.
  [[nodiscard]] std::string_view device_name() const noexcept;  ///< "host", "cuda:0"
  [[nodiscard]] Capability can(Ability ability) const;  ///< What can be done with it, with the reason where not.

  /// The whole Buffer; so a Buffer goes wherever a Slice is asked for.
  operator Slice() const;  // NOLINT(google-explicit-constructor)

  /// Fails with `out_of_range` unless `offset + length <= size()`, with `closed` on an empty Buffer.
  [[nodiscard]] Result<Slice> slice(std::uint64_t offset, std::uint64_t length) const;

  /// Frees the Region now and reports what the destructor can't: `busy` while a Pin lives (nothing is freed then).
  [[nodiscard]] Status free();

  /// A mapped Store: maps more of it behind what there is, without moving a byte, so Slices and pointers stay valid. A
  /// Store opened for writing is lengthened if need be. Fails with `unsupported` (not mapped), `out_of_range` (past
  /// MapOptions::reserve_bytes, or the end of a Store that can't grow), `invalid_argument` (shorter than it is), `busy`
  /// (registered with an accelerator and in use); nothing has changed then.
  [[nodiscard]] Status grow(std::uint64_t size_bytes);

  /// A mapped Store: takes part of the mapping away, whole pages of it; what was stored there stays in the Store. Later
  /// uses of a Slice that touches it fail with `stale`, and its addresses stay nobody's until the Buffer goes. Fails
  /// with `busy` while a Pin lives, a Request runs or another thread is just asking, `stale` (unmapped before),
  /// `out_of_range`, `invalid_argument` (no whole pages), `unsupported` (not mapped); nothing has changed then.
  [[nodiscard]] Status unmap(std::uint64_t offset, std::uint64_t length);

  /// A mapped Store: has all pages of a part in memory, so that touching them waits for nothing; of a mapping for
  /// writing as if they were written. Blocks meanwhile. Fails with `end_of_file`, `io_error`, `out_of_memory`, and as
  /// unmap does.
  [[nodiscard]] Status prefault(std::uint64_t offset, std::uint64_t length) const;

  /// A mapped Store: tells the system how a part is going to be used. Fails as prefault.
  [[nodiscard]] Status advise(std::uint64_t offset, std::uint64_t length, MemoryAdvice advice) const;

  /// Whether its bytes are what they seem. A mapped Store that another process cuts reads as zeros from there on (and
  /// kills nobody by SIGBUS): then `end_of_file`, for good; `io_error` where they could not be had. Memory of another
  /// process that exited and took it along: `stale`. Everything else is ok. Requests ask this themselves when they end.
  [[nodiscard]] Status check() const;

  /// For people: what it is made of, and for a mapped Store whether its device uses it in place or why not.
  [[nodiscard]] std::string explain() const;

  [[nodiscard]] explicit operator bool() const noexcept { return region_ != nullptr; }

 private:
  friend class core::Region;
  explicit Buffer(std::shared_ptr<core::Region> region) : region_(std::move(region)) {}

  std::shared_ptr<core::Region> region_;
};

}  // namespace gpuio
