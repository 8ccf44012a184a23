// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "gpuio/device.hpp"
#include "gpuio/map.hpp"
#include "gpuio/memory.hpp"
#include "gpuio/result.hpp"

/// \file
/// Memory passed from one process to another through a Unix socket: no byte is copied, both use the same.
///
/// What can be passed: a mapped Store (`mem://`, `cxl://`, a file: its descriptor travels) and an accelerator's own
/// memory, where its driver has handles for that. Other host memory is this process's own: make it a `mem://` Store.

namespace gpuio {

/// How a Region is passed on.
struct ShareOptions {
  MapAccess access = MapAccess::read_write;  ///< The most that the other process may do. Of accelerators' memory: all.
  bool any_user = false;                     ///< Also to processes of other users.
};

/// A Region that another process may use: pinned as long as this lives. Movable, not copyable.
class Share {
 public:
  Share() = default;

  /// The process at the other end of the socket when it was connected.
  [[nodiscard]] std::int32_t peer() const noexcept { return peer_; }
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(pin_); }

 private:
  friend Result<Share> share(int socket, const Slice& slice, const ShareOptions& options);
  Pin pin_;
  std::int32_t peer_ = 0;
};

/// Sends `slice` through `socket`, a connected Unix stream socket, to whoever calls receive_shared at its other end.
///
/// The other process learns what it may do, and its system enforces it: a descriptor passed for reading can't be mapped
/// for writing. Keep the Share until the other process is done: an accelerator's memory must not be freed under it.
///
/// Fails with `invalid_argument` (no such socket; not whole pages of a dax device), `permission_denied` (another user's
/// process; more access than there is), `unsupported` (memory that can't be passed, and what can), `closed` (nobody
/// at the other end), `would_block` (a socket that does not block is full). Blocks while the socket is full.
[[nodiscard]] Result<Share> share(int socket, const Slice& slice, const ShareOptions& options = {});

/// How a Region is taken over.
struct ReceiveOptions {
  MapAccess access = MapAccess::read;                    ///< No more than was offered.
  bool any_user = false;                                 ///< Also from processes of other users.
  DeviceAccess device_access = DeviceAccess::automatic;  ///< As MapOptions::device_access; of host memory.
};

/// Takes what share sent, as a Buffer of `device`: of kind `shared`, or `device` for an accelerator's own memory, which
/// the same accelerator must receive. Blocks until something comes.
///
/// Memory behind a descriptor outlives the process that sent it. Accelerators' memory does not: a handle of a process
/// that has exited fails with `stale`, and Buffer::check tells when that happens later.
///
/// Fails with `invalid_argument` (no such socket; another accelerator's memory), `permission_denied` (another user's
/// process; more access than was offered), `closed` (the other end was closed), `corrupt` (what came is no Region, or
/// shorter than it claims), `unsupported` (of another version; the device has no handles), `stale`, `would_block`.
[[nodiscard]] Result<Buffer> receive_shared(const Device& device, int socket, const ReceiveOptions& options = {});

}  // namespace gpuio
