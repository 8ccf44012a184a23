// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "base/unique_fd.h"
#include "core/spi/memory_exporter.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

/// What travels when a Region is shared, besides a descriptor and the sender's credentials. The same bytes on both
/// sides of a socket of one machine, so it is laid out as the machine does.
struct ShareMessage {
  enum class Kind : std::uint32_t { descriptor = 1, device = 2 };

  static constexpr std::array<char, 8> kMagic{'G', 'P', 'U', 'I', 'O', 'S', 'H', 'R'};
  static constexpr std::uint32_t kVersion = 2;

  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  Kind kind = Kind::descriptor;
  std::uint32_t access = 0;    ///< MapAccess
  std::uint32_t checksum = 0;  ///< CRC32C of all, with this field 0.
  std::uint64_t offset = 0;    ///< In what the descriptor refers to.
  std::uint64_t length = 0;
  std::uint64_t page_bytes = 0;  ///< Of the sender's mapping.
  std::uint64_t generation = 0;  ///< Of the sender's Region.
  std::uint32_t reach = 0;       ///< Reach
  std::uint32_t coherent = 1;    ///< As Sharing.
  std::uint64_t started = 0;     ///< PeerProcess::own_start of the sender.
  std::array<char, 8> tier{};    ///< spi::Mapping::tier of the sender's, with a 0 behind it.
  std::array<char, 32> bus_id{};
  spi::MemoryHandle handle{};
};
static_assert(std::is_trivially_copyable_v<ShareMessage>);
static_assert(sizeof(ShareMessage) == 208);

struct Credentials {
  pid_t process = 0;
  uid_t user = 0;
};

/// A message, and who the kernel says sent it.
struct ReceivedShare {
  ShareMessage message;
  base::UniqueFd descriptor;
  Credentials sender;
};

/// Who connected the other end. Fails with `invalid_argument` unless it is a connected Unix stream socket,
/// `permission_denied` if it is another user's and `any_user` is off.
[[nodiscard]] Result<Credentials> check_peer(int socket, bool any_user);

/// Sets the checksum. `descriptor` may be -1. Fails with `closed`, `would_block` or the system's error.
[[nodiscard]] Status send_share(int socket, ShareMessage message, int descriptor);

/// Fails with `closed`, `would_block`, `corrupt`, `unsupported` (version) or the system's error.
[[nodiscard]] Result<ReceivedShare> receive_share(int socket);

}  // namespace gpuio::core
