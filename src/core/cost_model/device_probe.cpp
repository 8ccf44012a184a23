// SPDX-License-Identifier: Apache-2.0
#include "core/cost_model/device_probe.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "base/units.h"
#include "core/memory/host_pages.h"
#include "core/placement/numa.h"

namespace gpuio::core {
namespace {

constexpr std::uint64_t kLinkBytes = 64 * base::kMiB;
constexpr std::array<std::uint64_t, 5> kLinkSizes{64 * base::kKiB, 1 * base::kMiB, 4 * base::kMiB, 16 * base::kMiB,
                                                  64 * base::kMiB};
constexpr std::array<std::uint64_t, 5> kPieceSizes{4 * base::kKiB, 16 * base::kKiB, 64 * base::kKiB, 256 * base::kKiB,
                                                   1 * base::kMiB};
constexpr std::array<std::uint64_t, 5> kRowSizes{64, 128, 512, 656, 4096};
constexpr std::uint64_t kRegisteredBytes = 32 * base::kMiB;

/// Memory of a device for the time of a measurement.
class Memory {
 public:
  static Result<Memory> allocate(spi::Device& device, RegionKind kind, std::uint64_t bytes) {
    GPUIO_ASSIGN(std::byte* const base, device.allocate(kind, bytes, {}));
    return Memory(device, kind, base, bytes);
  }
  Memory(Memory&& other) noexcept
      : device_(other.device_), kind_(other.kind_), base_(std::exchange(other.base_, nullptr)), bytes_(other.bytes_) {}
  Memory& operator=(Memory&&) = delete;
  ~Memory() {
    if (base_ == nullptr) return;
    if (const Status status = device_->free(kind_, base_, bytes_); !status.ok()) {
      GPUIO_LOG(warn, "core", "freeing what a calibration used: " + status.to_string());
    }
  }

  [[nodiscard]] std::byte* base() const noexcept { return base_; }

 private:
  Memory(spi::Device& device, RegionKind kind, std::byte* base, std::uint64_t bytes) noexcept
      : device_(&device), kind_(kind), base_(base), bytes_(bytes) {}

  spi::Device* device_;
  RegionKind kind_;
  std::byte* base_;
  std::uint64_t bytes_;
};

/// The calls on one stream, each batch waited for.
class Stream {
 public:
  static Result<Stream> create(spi::Device& device) {
    GPUIO_ASSIGN(const spi::StreamHandle handle, device.create_stream());
    return Stream(device, handle);
  }
  Stream(Stream&& other) noexcept : device_(other.device_), handle_(std::exchange(other.handle_, nullptr)) {}
  Stream& operator=(Stream&&) = delete;
  ~Stream() {
    if (handle_ == nullptr) return;
    if (const Status status = device_->destroy_stream(handle_); !status.ok()) {
      GPUIO_LOG(warn, "core", "ending a calibration's stream: " + status.to_string());
    }
  }

  [[nodiscard]] Status copy(std::span<const spi::CopySegment> segments) const {
    GPUIO_TRY(device_->copy(handle_, segments));
    return device_->synchronize(handle_);
  }
  /// Each copy a call of its own.
  [[nodiscard]] Status copy_singly(std::span<const spi::CopySegment> segments) const {
    for (const spi::CopySegment& segment : segments) GPUIO_TRY(device_->copy(handle_, std::span(&segment, 1)));
    return device_->synchronize(handle_);
  }
  [[nodiscard]] Status launch(spi::KernelId kernel, const void* arguments) const {
    GPUIO_TRY(device_->launch(handle_, kernel, arguments));
    return device_->synchronize(handle_);
  }

 private:
  Stream(spi::Device& device, spi::StreamHandle handle) noexcept : device_(&device), handle_(handle) {}

  spi::Device* device_;
  spi::StreamHandle handle_;
};

/// What all measurements of a device use.
class DeviceProbe {
 public:
  static Result<DeviceProbe> start(const Session& session, spi::Device& device) {
    GPUIO_ASSIGN(Stream stream, Stream::create(device));
    GPUIO_ASSIGN(Memory host, Memory::allocate(device, RegionKind::pinned, kLinkBytes));
    GPUIO_ASSIGN(Memory own, Memory::allocate(device, RegionKind::device, kLinkBytes));
    GPUIO_ASSIGN(Memory list, Memory::allocate(device, RegionKind::pinned, kListBytes));
    std::memset(host.base(), 1, kLinkBytes);
    return DeviceProbe(session, device, std::move(stream), std::move(host), std::move(own), std::move(list));
  }

  [[nodiscard]] Status measure(DeviceCost& cost) {
    GPUIO_TRY(measure_launch(cost));
    GPUIO_TRY(measure_register(cost));
    GPUIO_TRY(measure_link(cost));
    GPUIO_TRY(measure_pieces(cost));
    for (const std::uint64_t row_bytes : kRowSizes) cost.rows.push_back({row_bytes, 0, 0});
    GPUIO_TRY(measure_rows(cost.rows, RegionKind::pinned, &DeviceRowRate::pinned_rows_per_second));
    if (!device_.capability(Ability::mapped_regions)) return {};
    return measure_rows(cost.rows, RegionKind::mapped, &DeviceRowRate::mapped_rows_per_second);
  }

 private:
  static constexpr std::uint64_t kPiecesMax = 256;
  static constexpr std::uint64_t kRowsMax = 1U << 16U;
  /// For a list of pieces or the ids of rows.
  static constexpr std::uint64_t kListBytes =
      std::max(kPiecesMax * sizeof(spi::MoveSegment), kRowsMax * sizeof(std::uint32_t));

  DeviceProbe(const Session& session, spi::Device& device, Stream stream, Memory host, Memory own, Memory list) noexcept
      : session_(session),
        meter_(session),
        device_(device),
        stream_(std::move(stream)),
        host_(std::move(host)),
        own_(std::move(own)),
        list_(std::move(list)) {}

  [[nodiscard]] Status measure_launch(DeviceCost& cost);
  [[nodiscard]] Status measure_register(DeviceCost& cost);
  [[nodiscard]] Status measure_link(DeviceCost& cost);
  [[nodiscard]] Status measure_pieces(DeviceCost& cost);
  [[nodiscard]] Status measure_rows(std::vector<DeviceRowRate>& rates, RegionKind kind, double DeviceRowRate::* result);

  const Session& session_;
  Meter meter_;
  spi::Device& device_;
  Stream stream_;
  Memory host_;
  Memory own_;
  Memory list_;
};

Status DeviceProbe::measure_launch(DeviceCost& cost) {
  auto* const list = reinterpret_cast<spi::MoveSegment*>(list_.base());
  list[0] = {host_.base(), own_.base(), 16};
  const spi::SegmentsArguments arguments{list, 1};
  GPUIO_ASSIGN(const double launches_per_second,
               meter_.best_rate_of(1, [&] { return stream_.launch(spi::KernelId::move_segments, &arguments); }));
  cost.launch_ns = 1e9 / launches_per_second;
  return {};
}

/// Where registering is refused, files take other ways: that is an answer, and no error.
Status DeviceProbe::measure_register(DeviceCost& cost) {
  GPUIO_ASSIGN(const HostPages pages, HostPages::map(kRegisteredBytes, numa::nearest(device_.info().numa_node)));
  const Result<double> rate = meter_.best_rate_of(kRegisteredBytes, [&]() -> Status {
    GPUIO_TRY(device_.register_memory(pages.base(), pages.size(), spi::RegisterMode::read_write));
    return device_.unregister_memory(pages.base(), pages.size());
  });
  if (!rate && rate.error().code() == Code::cancelled) return rate.error();
  if (!rate) GPUIO_LOG(info, "core", "calibration: no registered memory: " + rate.error().to_string());
  cost.register_bytes_per_second = rate ? *rate : 0;
  return {};
}

Status DeviceProbe::measure_link(DeviceCost& cost) {
  for (const std::uint64_t bytes : kLinkSizes) {
    const std::uint64_t copies = std::clamp<std::uint64_t>(kLinkBytes / bytes, 1, 64);
    std::vector<spi::CopySegment> there;
    std::vector<spi::CopySegment> back;
    for (std::uint64_t at = 0; at < copies * bytes; at += bytes) {
      there.push_back({host_.base() + at, own_.base() + at, bytes});
      back.push_back({own_.base() + at, host_.base() + at, bytes});
    }
    const auto total = static_cast<double>(copies * bytes);
    LinkRate& rate = cost.link.emplace_back();
    rate.bytes = bytes;
    GPUIO_ASSIGN(rate.to_device_bytes_per_second,
                 meter_.best_rate_of(total, [&] { return stream_.copy_singly(there); }));
    GPUIO_ASSIGN(rate.from_device_bytes_per_second,
                 meter_.best_rate_of(total, [&] { return stream_.copy_singly(back); }));
  }
  return {};
}

Status DeviceProbe::measure_pieces(DeviceCost& cost) {
  constexpr std::uint64_t kBytes = 16 * base::kMiB;
  for (const std::uint64_t bytes : kPieceSizes) {
    const std::uint64_t count = std::min(kBytes / bytes, kPiecesMax);
    auto* const list = reinterpret_cast<spi::MoveSegment*>(list_.base());
    std::vector<spi::CopySegment> segments;
    for (std::uint64_t i = 0; i < count; ++i) {
      // Backwards, or a driver might make one copy of neighbours.
      std::byte* const to = own_.base() + (count - 1 - i) * bytes;
      segments.push_back({host_.base() + i * bytes, to, bytes});
      list[i] = {host_.base() + i * bytes, to, bytes};
    }
    const spi::SegmentsArguments arguments{list, count};
    const auto total = static_cast<double>(count * bytes);
    PieceRate& rate = cost.pieces.emplace_back();
    rate.bytes = bytes;
    GPUIO_ASSIGN(rate.copy_engine_bytes_per_second, meter_.best_rate_of(total, [&] { return stream_.copy(segments); }));
    GPUIO_ASSIGN(rate.kernel_bytes_per_second,
                 meter_.best_rate_of(total, [&] { return stream_.launch(spi::KernelId::move_segments, &arguments); }));
  }
  return {};
}

Status DeviceProbe::measure_rows(std::vector<DeviceRowRate>& rates, RegionKind kind, double DeviceRowRate::* result) {
  // Beyond what a translation cache of a gigabyte's worth of small pages would hide, in a few hundred milliseconds.
  const std::uint64_t table_bytes = session_.quick ? 64 * base::kMiB : 512 * base::kMiB;
  GPUIO_ASSIGN(const Memory table, Memory::allocate(device_, kind, table_bytes));
  // Touched by the host: otherwise some drivers would map the table to the device at the first read.
  std::memset(table.base(), 1, table_bytes);
  auto* const ids = reinterpret_cast<std::uint32_t*>(list_.base());
  for (DeviceRowRate& rate : rates) {
    base::Random random(rate.row_bytes);
    spi::RowsArguments rows{};
    rows.table = table.base();
    rows.table_rows = table_bytes / rate.row_bytes;
    rows.row_bytes = rows.stride_bytes = rate.row_bytes;
    rows.ids = ids;
    rows.id_bytes = sizeof(std::uint32_t);
    rows.count = std::min(kRowsMax, kLinkBytes / rate.row_bytes);
    rows.packed = own_.base();
    for (std::uint64_t i = 0; i < rows.count; ++i) ids[i] = static_cast<std::uint32_t>(random.uniform(rows.table_rows));
    const auto gather = [&] { return stream_.launch(spi::KernelId::gather_rows, &rows); };
    GPUIO_ASSIGN(rate.*result, meter_.best_rate_of(static_cast<double>(rows.count), gather));
  }
  return {};
}

}  // namespace

Result<DeviceCost> measure_device(const Session& session, spi::Device& device) {
  DeviceCost cost;
  cost.name = device.info().name;
  cost.model = device.info().model;
  cost.bus_id = device.info().bus_id;
  GPUIO_ASSIGN(DeviceProbe probe, DeviceProbe::start(session, device));
  GPUIO_TRY(probe.measure(cost));
  return cost;
}

}  // namespace gpuio::core
