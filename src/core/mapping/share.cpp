// SPDX-License-Identifier: Apache-2.0
#include "gpuio/share.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "core/device_state.h"
#include "core/mapping/descriptor_mapping.h"
#include "core/mapping/mapped_memory.h"
#include "core/mapping/peer_process.h"
#include "core/mapping/share_message.h"
#include "core/memory/region.h"

namespace gpuio {
namespace core {
namespace {

/// What fits, and a 0 behind it.
template <std::size_t kBytes>
std::array<char, kBytes> text_of(std::string_view from) {
  std::array<char, kBytes> text{};
  from.copy(text.data(), kBytes - 1);
  return text;
}
std::array<char, 32> bus_id_of(const spi::Device& device) { return text_of<32>(device.info().bus_id); }

/// Another process's memory of an accelerator.
class ImportedMemory final : public RegionBacking {
 public:
  ImportedMemory(std::shared_ptr<spi::Device> device, spi::MemoryExporter& exporter, std::byte* base,
                 std::uint64_t bytes, PeerProcess owner)
      : device_(std::move(device)), exporter_(exporter), base_(base), bytes_(bytes), owner_(std::move(owner)) {}
  ImportedMemory(const ImportedMemory&) = delete;
  ImportedMemory& operator=(const ImportedMemory&) = delete;
  ~ImportedMemory() override {
    const Status released = exporter_.release_imported(base_, bytes_);
    if (!released.ok()) GPUIO_LOG(warn, "core", "giving up another process's memory: " + released.to_string());
  }

  [[nodiscard]] Status check() const override {
    if (!owner_.exited()) return {};
    return Status(Code::stale, "the process that shared this memory has exited, and took it along")
        .with("process", static_cast<std::uint64_t>(owner_.pid()))
        .with_scope(FailureScope::peer);
  }
  [[nodiscard]] Sharing sharing() const noexcept override { return {Reach::host}; }

 private:
  const std::shared_ptr<spi::Device> device_;
  spi::MemoryExporter& exporter_;  // is *device_
  std::byte* const base_;
  const std::uint64_t bytes_;
  const PeerProcess owner_;
};

/// What is to travel for a mapped store; the descriptor comes with it.
Result<base::UniqueFd> describe_mapping(const MappedMemory& mapped, std::uint64_t offset, MapAccess access,
                                        ShareMessage& message) {
  const spi::Mapping& mapping = mapped.mapping();
  GPUIO_TRY(mapping.check());
  constexpr std::uint64_t kOrdinaryPage = 4096;
  if (mapping.page_bytes() > kOrdinaryPage && (offset | message.length) % mapping.page_bytes() != 0) {
    return Status(Code::invalid_argument, "of these pages only whole ones can be shared")
        .with("offset", offset)
        .with("length", message.length)
        .with("page_bytes", mapping.page_bytes());
  }
  GPUIO_ASSIGN(spi::SharedMemoryFile file, mapping.share(offset, access));
  message.kind = ShareMessage::Kind::descriptor;
  message.offset = file.offset;
  message.page_bytes = mapping.page_bytes();
  message.tier = text_of<8>(mapping.tier());
  message.reach = static_cast<std::uint32_t>(mapping.sharing().reach);
  message.coherent = mapping.sharing().coherent ? 1 : 0;
  return std::move(file.descriptor);
}

Status describe_device_memory(const Resolved& part, MapAccess access, ShareMessage& message) {
  auto* const exporter = dynamic_cast<spi::MemoryExporter*>(&part.region->device());
  if (part.region->kind() != RegionKind::device || exporter == nullptr) {
    return Status(
               Code::unsupported,
               "this memory is this process's own; a mapped mem:// Store and an accelerator's own memory can be shared")
        .with("kind", to_string(part.region->kind()))
        .with("device", part.region->device().info().name);
  }
  if (access == MapAccess::read) {
    return Status(Code::unsupported, "an accelerator's memory can't be shared for reading alone: nothing enforces it");
  }
  GPUIO_ASSIGN(message.handle, exporter->export_memory(part.address, part.bytes));
  message.kind = ShareMessage::Kind::device;
  message.bus_id = bus_id_of(part.region->device());
  return {};
}

Result<Buffer> take_device_memory(const Device& device, const ReceivedShare& received) {
  const ShareMessage& message = received.message;
  const std::shared_ptr<spi::Device>& target = device.state()->pointer();
  auto* const exporter = dynamic_cast<spi::MemoryExporter*>(target.get());
  if (exporter == nullptr) {
    return Status(Code::unsupported, "this device takes no memory of other processes' accelerators")
        .with("device", target->info().name);
  }
  if (message.bus_id != bus_id_of(*target)) {
    return Status(Code::invalid_argument, "it is another accelerator's memory: receive it with that one")
        .with("bus_id", message.bus_id.data())
        .with("device", target->info().name);
  }
  GPUIO_ASSIGN(PeerProcess owner, PeerProcess::find(received.sender.process, message.started));
  GPUIO_ASSIGN(std::byte * base, exporter->import_memory(message.handle, message.length));
  auto backing = std::make_unique<ImportedMemory>(target, *exporter, base, message.length, std::move(owner));
  return Region::adopt(target, base, message.length, RegionKind::device, std::move(backing));
}

Result<Buffer> take_descriptor(const Device& device, ReceivedShare received, const ReceiveOptions& options) {
  const ShareMessage& message = received.message;
  struct stat now{};
  if (::fstat(received.descriptor.get(), &now) != 0) return Status::from_errno(errno, "the descriptor is of no use");
  if (!S_ISREG(now.st_mode) && !S_ISBLK(now.st_mode) && !S_ISCHR(now.st_mode)) {
    return Status(Code::corrupt, "the descriptor that came is of nothing that could be mapped");
  }
  MappedFile file;
  file.descriptor = std::move(received.descriptor);
  file.name = "memory of process " + std::to_string(received.sender.process) + ", generation " +
              std::to_string(message.generation);
  file.tier.assign(message.tier.begin(), std::ranges::find(message.tier, '\0'));
  file.sharing = {static_cast<Reach>(message.reach), message.coherent != 0};
  if (S_ISCHR(now.st_mode)) {  // A dax device tells neither its page nor its size.
    file.page_bytes = message.page_bytes;
    file.fixed_bytes = message.offset + message.length;
  }
  auto mapped = DescriptorMapping::create(std::move(file), {message.offset, message.length, options.access, 0});
  if (!mapped) {
    if (mapped.error().code() != Code::out_of_range) return std::move(mapped).error();
    return Status(Code::corrupt, "the memory is shorter than its sender claims: " + mapped.error().to_string());
  }
  MapOptions how;
  how.device_access = options.device_access;
  const std::shared_ptr<spi::Device>& target = device.state()->pointer();
  GPUIO_ASSIGN(std::unique_ptr<MappedMemory> memory, MappedMemory::create(nullptr, *std::move(mapped), target, how));
  std::byte* const base = memory->base();
  return Region::adopt(target, base, message.length, RegionKind::shared, std::move(memory));
}

}  // namespace
}  // namespace core

Result<Share> share(int socket, const Slice& slice, const ShareOptions& options) {
  Share shared;
  GPUIO_ASSIGN(shared.pin_, slice.pin());
  GPUIO_ASSIGN(const core::Resolved part, core::Region::resolve(slice));
  if (part.bytes == 0) return Status(Code::invalid_argument, "zero bytes: nothing to share");
  GPUIO_ASSIGN(const core::Credentials peer, core::check_peer(socket, options.any_user));
  core::ShareMessage message;
  message.access = static_cast<std::uint32_t>(options.access);
  message.length = part.bytes;
  message.generation = part.region->generation();
  message.started = core::PeerProcess::own_start();
  base::UniqueFd descriptor;
  if (const core::MappedMemory* const mapped = part.region->mapped(); mapped != nullptr) {
    const auto offset = static_cast<std::uint64_t>(part.address - part.region->base());
    GPUIO_ASSIGN(descriptor, core::describe_mapping(*mapped, offset, options.access, message));
  } else {
    GPUIO_TRY(core::describe_device_memory(part, options.access, message));
  }
  GPUIO_TRY(core::send_share(socket, message, descriptor.get()));
  shared.peer_ = peer.process;
  return shared;
}

Result<Buffer> receive_shared(const Device& device, int socket, const ReceiveOptions& options) {
  GPUIO_TRY(core::check_peer(socket, options.any_user).status());
  GPUIO_ASSIGN(core::ReceivedShare received, core::receive_share(socket));
  if (received.sender.user != ::geteuid() && !options.any_user) {
    return Status(Code::permission_denied, "another user's process sent this")
        .with("process", static_cast<std::uint64_t>(received.sender.process))
        .with("user", received.sender.user);
  }
  if (static_cast<std::uint32_t>(options.access) > received.message.access) {
    return Status(Code::permission_denied, "the other process shares it for reading only");
  }
  if (received.message.kind == core::ShareMessage::Kind::device) return core::take_device_memory(device, received);
  return core::take_descriptor(device, std::move(received), options);
}

}  // namespace gpuio
