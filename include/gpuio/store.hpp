// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gpuio/layout.hpp"
#include "gpuio/result.hpp"

namespace gpuio {

namespace core {
class StoreState;
class ContextState;
}  // namespace core

/// What an opened Store may be used for.
enum class OpenMode : std::uint8_t {
  read,     ///< It must exist.
  write,    ///< It must exist; read and write in place.
  create,   ///< Made if missing, kept as it is if not; read and write.
  replace,  ///< Written aside and put in place by Store::commit, all or nothing; read and write.
};

/// Whether bytes go through the operating system's page cache.
enum class CacheUse : std::uint8_t {
  automatic,  ///< Per run, by what is resident and how large it is.
  cached,     ///< Always through the page cache.
  direct,     ///< Never (O_DIRECT); unaligned ends are widened. Fails with `unsupported` where a store can't.
};

/// How a Store is opened.
struct OpenOptions {
  OpenMode mode = OpenMode::read;        ///< What it is opened for.
  CacheUse cache = CacheUse::automatic;  ///< For all its transfers that do not say otherwise.
  /// Creating modes: the store's length from the start, as far as it can be reserved; 0: it grows as it is written.
  std::uint64_t size_bytes = 0;
};

/// How much of a range could be read without touching its device.
struct Residency {
  std::uint64_t resident_bytes = 0;  ///< In memory.
  std::uint64_t total_bytes = 0;     ///< Of the range asked about.
};

/// Bytes at offsets behind a URI: a file, a block device, a stripe set, a pool, a remote region, an object.
///
/// A handle; copies refer to the same open store. The last one closes it; Requests hold what they use, so closing early
/// is safe. Thread safety: all members, any thread.
class Store {
 public:
  Store() = default;

  [[nodiscard]] const std::string& uri() const noexcept;   ///< As it was opened.
  [[nodiscard]] std::string_view engine() const noexcept;  ///< "local", ...
  [[nodiscard]] std::string_view tier() const noexcept;    ///< "nvme", "dram", ... (concepts.md)

  /// Bytes now; grows as it is written.
  [[nodiscard]] std::uint64_t size() const noexcept;

  /// How the engine reaches it and why, for people: "io_uring; O_DIRECT aligned to 512; ext4".
  [[nodiscard]] std::string explain() const;

  /// How much of [offset, offset+length) is in memory now. Costs a system call; the answer may be old when it arrives.
  [[nodiscard]] Result<Residency> residency(std::uint64_t offset, std::uint64_t length) const;

  /// Makes everything written so far durable (fdatasync or its like) and blocks until it is. A failed flush is sticky:
  /// every later flush and write fails with `poisoned` until the store is opened anew and verified.
  [[nodiscard]] Status flush() const;

  /// `replace` mode: flushes, puts the new contents in place of the old under the store's name, and makes that durable.
  /// Before it returns ok, a crash leaves the old contents whole. Other modes: as flush.
  [[nodiscard]] Status commit() const;

  /// Cuts or extends it; needs a writing mode.
  [[nodiscard]] Status truncate(std::uint64_t size_bytes) const;

  [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }
  [[nodiscard]] const std::shared_ptr<core::StoreState>& state() const noexcept { return state_; }

 private:
  friend class core::ContextState;
  explicit Store(std::shared_ptr<core::StoreState> state) : state_(std::move(state)) {}
  std::shared_ptr<core::StoreState> state_;
};

}  // namespace gpuio
