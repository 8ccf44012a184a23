// SPDX-License-Identifier: Apache-2.0
#include "core/mapping/share_message.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "base/checksum.h"
#include "base/try.h"
#include "gpuio/memory.hpp"

namespace gpuio::core {
namespace {

/// Room for one descriptor and one set of credentials, aligned as control messages are. More descriptors than one are a
/// breach, and get no room.
union Control {
  cmsghdr first;
  std::array<char, CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(ucred))> bytes;
};

std::uint32_t checksum_of(ShareMessage message) {
  message.checksum = 0;
  return base::crc32c(std::as_bytes(std::span(&message, 1)));
}

Status socket_failed(int error, const char* what) {
  if (error == EPIPE || error == ECONNRESET || error == ENOTCONN) {
    return Status(Code::closed, "nobody is at the other end of the socket")
        .with_scope(FailureScope::peer)
        .with_native(error);
  }
  if (error == EAGAIN || error == EWOULDBLOCK) {
    return Status(Code::would_block, what).with_retryable(true).with_native(error);
  }
  return Status::from_errno(error, what).with_scope(FailureScope::peer);
}

template <class T>
void put(cmsghdr* header, int type, const T& value) {
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(header), &value, sizeof value);
}

/// Takes over what came along; descriptors that nobody asked for are closed.
void take_control(msghdr& header, ReceivedShare& received) {
  for (cmsghdr* at = CMSG_FIRSTHDR(&header); at != nullptr; at = CMSG_NXTHDR(&header, at)) {
    if (at->cmsg_level != SOL_SOCKET) continue;
    if (at->cmsg_type == SCM_CREDENTIALS && at->cmsg_len >= CMSG_LEN(sizeof(ucred))) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(at), sizeof sender);
      received.sender = {sender.pid, sender.uid};
    }
    if (at->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(at) + i * sizeof descriptor, sizeof descriptor);
      received.descriptor.reset(descriptor);
    }
  }
}

Status check(const ReceivedShare& received) {
  const ShareMessage& message = received.message;
  if (message.magic != ShareMessage::kMagic) return Status(Code::corrupt, "what came through the socket is no Region");
  if (message.version != ShareMessage::kVersion) {
    return Status(Code::unsupported, "the other process has another version of the library")
        .with("version", message.version)
        .with("ours", ShareMessage::kVersion);
  }
  const bool known_kind = message.kind == ShareMessage::Kind::descriptor || message.kind == ShareMessage::Kind::device;
  const bool needs_descriptor = message.kind == ShareMessage::Kind::descriptor;
  const bool sound = message.checksum == checksum_of(message) && known_kind && message.access <= 1 &&
                     message.reach <= static_cast<std::uint32_t>(Reach::pool) && message.coherent <= 1 &&
                     message.length != 0 && message.offset + message.length > message.offset;
  if (!sound) return Status(Code::corrupt, "the message about a Region is damaged");
  if (needs_descriptor != static_cast<bool>(received.descriptor)) {
    return Status(Code::corrupt,
                  needs_descriptor ? "the Region came without its descriptor" : "a descriptor came with what has none");
  }
  return {};
}

}  // namespace

Result<Credentials> check_peer(int socket, bool any_user) {
  int domain = 0;
  int type = 0;
  socklen_t bytes = sizeof(int);
  const bool is_socket = ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0 &&
                         ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0;
  if (!is_socket || domain != AF_UNIX || type != SOCK_STREAM) {
    return Status(Code::invalid_argument, "Regions are passed through a connected Unix stream socket")
        .with("argument", "socket");
  }
  ucred peer{};
  bytes = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) {
    return Status::from_errno(errno, "can't ask who is at the other end of the socket");
  }
  if (peer.uid != ::geteuid() && !any_user) {
    return Status(Code::permission_denied, "the process at the other end is another user's")
        .with("process", static_cast<std::uint64_t>(peer.pid))
        .with("user", peer.uid)
        .with_scope(FailureScope::peer);
  }
  return Credentials{peer.pid, peer.uid};
}

Status send_share(int socket, ShareMessage message, int descriptor) {
  message.checksum = checksum_of(message);
  Control control{};
  iovec body{&message, sizeof message};
  msghdr header{};
  header.msg_iov = &body;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes.data();
  header.msg_controllen = descriptor >= 0 ? control.bytes.size() : CMSG_SPACE(sizeof(ucred));
  cmsghdr* at = CMSG_FIRSTHDR(&header);
  // Told explicitly: the receiver may ask for credentials only after this was sent. The kernel checks them.
  put(at, SCM_CREDENTIALS, ucred{::getpid(), ::geteuid(), ::getegid()});
  if (descriptor >= 0) put(CMSG_NXTHDR(&header, at), SCM_RIGHTS, descriptor);
  std::size_t sent = 0;
  while (sent < sizeof message) {
    const ssize_t result = ::sendmsg(socket, &header, MSG_NOSIGNAL);
    if (result < 0 && errno == EINTR) continue;
    if (result < 0) return socket_failed(errno, "can't send through the socket");
    sent += static_cast<std::size_t>(result);
    body = {reinterpret_cast<char*>(&message) + sent, sizeof message - sent};
    header.msg_control = nullptr;
    header.msg_controllen = 0;
  }
  return {};
}

Result<ReceivedShare> receive_share(int socket) {
  const int on = 1;
  if (::setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    return Status::from_errno(errno, "can't ask for the sender's credentials");
  }
  ReceivedShare received;
  std::size_t got = 0;
  bool cut = false;
  while (got < sizeof received.message) {
    Control control{};
    iovec body{reinterpret_cast<char*>(&received.message) + got, sizeof received.message - got};
    msghdr header{};
    header.msg_iov = &body;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes.data();
    header.msg_controllen = control.bytes.size();
    const ssize_t result = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    if (result < 0 && errno == EINTR) continue;
    if (result < 0) return socket_failed(errno, "can't receive from the socket");
    if (result == 0) return got == 0 ? socket_failed(EPIPE, "") : Status(Code::corrupt, "the message breaks off");
    cut = cut || (header.msg_flags & MSG_CTRUNC) != 0;
    take_control(header, received);
    got += static_cast<std::size_t>(result);
  }
  if (cut) return Status(Code::corrupt, "more came with the message than belongs to a Region");
  GPUIO_TRY(check(received));
  return received;
}

}  // namespace gpuio::core
