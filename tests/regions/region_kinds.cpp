// SPDX-License-Identifier: Apache-2.0
#include "regions/region_kinds.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <utility>

#include "base/try.h"
#include "core/context_state.h"
#include "regions/peer.h"
#include "support/drawn_layouts.h"

namespace gpuio::tests {
namespace {

constexpr std::uint64_t kDaxBytes = 4 * kRegionBytes;  // All that the guest's device has.

/// A GPU's library is where it was built; on a machine that the program was copied to, the loader finds it.
Settings settings() {
  Settings settings;
  throw_if_failed(settings.set("memory.slab_bytes", "1MiB"));
#if defined(GPUIO_CUDA_LIBRARY)
  if (std::filesystem::exists(GPUIO_CUDA_LIBRARY)) {
    throw_if_failed(settings.set("device.cuda_library", GPUIO_CUDA_LIBRARY));
  }
#endif
  return settings;
}

}  // namespace

const std::vector<KindOfRegion>& region_kinds() {
  using Source = KindOfRegion::Source;
  static const std::vector<KindOfRegion> kinds{
      {"ordinary", Source::allocated},
      {"pinned", Source::allocated, "host", RegionKind::pinned},
      {"mapped", Source::allocated, "host", RegionKind::mapped},
      {"bound_to_a_node", Source::allocated, "host", RegionKind::device, Placement::bind({0})},
      {"lent", Source::lent, "host", RegionKind::user},
      {"lent_to_an_accelerator", Source::lent, "far:0", RegionKind::user},
      {.name = "file", .source = Source::mapped, .uri = "file://*"},
      {.name = "memory_file", .source = Source::mapped, .uri = "mem://dram"},
      {.name = "memory_with_a_name", .source = Source::mapped, .uri = "mem://dram?temporary=yes&name=*"},
      {.name = "memory_of_huge_pages", .source = Source::mapped, .uri = "mem://dram?huge=2MiB"},
      {.name = "memory_registered", .source = Source::mapped, .device = "far:0", .uri = "mem://dram"},
      {.name = "memory_staged",
       .source = Source::mapped,
       .device = "far:0",
       .uri = "mem://dram",
       .device_access = DeviceAccess::none},
      {.name = "file_for_dax", .source = Source::mapped, .uri = "cxl://*"},
      {.name = "file_for_dax_not_coherent", .source = Source::mapped, .uri = "cxl://*?coherent=no"},
      {.name = "dax_device", .source = Source::mapped, .uri = "cxl://"},
      {"another_processs", Source::received},
      {"another_processs_registered", Source::received, "far:0"},
      {"another_processs_accelerator", Source::received, "handle:0"},
      {"accelerator", Source::allocated, "far:0"},
      {"accelerator_pinned", Source::allocated, "far:0", RegionKind::pinned},
      {"accelerator_mapped", Source::allocated, "far:0", RegionKind::mapped},
      {"second_accelerator", Source::allocated, "far:1"},
      {"cuda", Source::allocated, "cuda:0"},
      {"cuda_pinned", Source::allocated, "cuda:0", RegionKind::pinned},
      {"cuda_mapped", Source::allocated, "cuda:0", RegionKind::mapped},
  };
  return kinds;
}

std::vector<KindOfRegion> read_only_region_kinds() {
  std::vector<KindOfRegion> kinds;
  std::ranges::copy_if(region_kinds(), std::back_inserter(kinds), &KindOfRegion::may_be_read_only);
  return kinds;
}

RegionTest::RegionTest() {
  if (!GetParam().on_gpu()) peer_.emplace(serve_regions);
  context_.emplace(core::ContextState::create({settings(), Drive::threads}, region_parts(rules_, fake_)).value());
  host_.emplace(context_->device("host").value());
}

RegionTest::~RegionTest() {
  for (const std::string& file : files_) ::unlink(file.c_str());
}

void RegionTest::SetUp() {
  Result<Buffer> made = make(GetParam());
  if (!made) GTEST_SKIP() << made.error().to_string();
  memory_ = *std::move(made);
  device_.emplace(context_->device(GetParam().device).value());
}

void FilledRegionTest::SetUp() {
  RegionTest::SetUp();
  if (IsSkipped() || HasFatalFailure()) return;
  model_ = random_bytes(kRegionBytes);
  put(memory_, model_);
}

Result<Buffer> RegionTest::make(const KindOfRegion& kind, MapAccess access) {
  GPUIO_ASSIGN(const Device device, context_->device(kind.device));
  switch (kind.source) {
    case KindOfRegion::Source::allocated:
      return device.allocate(kRegionBytes, {kind.kind, kind.placement});
    case KindOfRegion::Source::lent:
      return device.wrap(lent_.emplace_back(kRegionBytes).data(), kRegionBytes, kind.kind);
    case KindOfRegion::Source::mapped:
      return make_mapped(kind, device, access);
    case KindOfRegion::Source::received:
      break;
  }
  return receive(device, access);
}

std::string RegionTest::unique_name() {
  static int count = 0;
  return "gpuio-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
}

Result<Buffer> RegionTest::make_mapped(const KindOfRegion& kind, const Device& device, MapAccess access) {
  MapOptions how{.length = kRegionBytes, .access = access, .device = &device, .device_access = kind.device_access};
  OpenOptions options{.mode = OpenMode::create, .size_bytes = kRegionBytes};
  std::string uri = kind.uri;
  if (uri == "cxl://") {
    const char* const path = std::getenv("GPUIO_TEST_DAX");
    if (path == nullptr) return Status(Code::not_found, "needs a dax device to overwrite: GPUIO_TEST_DAX=/dev/dax0.0");
    uri += path;
    options = {.mode = OpenMode::write};
    how.offset = dax_used_bytes_;
    dax_used_bytes_ = (dax_used_bytes_ + kRegionBytes) % kDaxBytes;
  }
  if (const std::size_t name = uri.find('*'); name != std::string::npos) {
    std::string unique = unique_name();
    if (!uri.starts_with("mem")) unique = files_.emplace_back(testing::TempDir() + unique);
    uri.replace(name, 1, unique);
  }
  GPUIO_ASSIGN(const Store store, context_->open(uri, options));
  return context_->map(store, how);
}

Result<Buffer> RegionTest::receive(const Device& device, MapAccess access) {
  if (!peer_) return Status(Code::unsupported, "a process that has touched a GPU's driver can't be forked");
  const bool by_handle = device.name().starts_with("handle");
  const auto wanted = static_cast<char>(by_handle ? PeerGives::accelerators_memory : PeerGives::memory);
  if (::send(peer_->socket(), &wanted, 1, MSG_NOSIGNAL) != 1) return Status(Code::closed, "the peer is gone");
  return receive_shared(device, peer_->socket(), {.access = access});
}

Buffer RegionTest::lend(std::span<const std::byte> bytes) const {
  return host_->wrap(const_cast<std::byte*>(bytes.data()), bytes.size(), RegionKind::user).value();
}

void RegionTest::put(const Slice& memory, std::span<const std::byte> bytes) const {
  const Request request = context_->copy(lend(bytes), memory).value();
  EXPECT_TRUE(request.wait().ok()) << request.status().to_string() << request.explain();
}

std::vector<std::byte> RegionTest::get(const Slice& memory) const {
  std::vector<std::byte> bytes(memory.size());
  const Request request = context_->copy(memory, lend(bytes)).value();
  EXPECT_TRUE(request.wait().ok()) << request.status().to_string() << request.explain();
  return bytes;
}

std::vector<std::byte> RegionTest::random_bytes(std::uint64_t count) {
  std::vector<std::byte> bytes(count);
  fill_random(random_, bytes);
  return bytes;
}

}  // namespace gpuio::tests
