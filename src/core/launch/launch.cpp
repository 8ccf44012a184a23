// SPDX-License-Identifier: Apache-2.0
#include "gpuio/launch.hpp"

#include <string>

#include "base/align.h"
#include "base/try.h"
#include "core/device_state.h"
#include "core/memory/region.h"
#include "core/spi/kernels.h"

namespace gpuio {
namespace {

Status bad(std::string_view field, std::string_view why) {
  return Status(Code::invalid_argument, "RowLaunch::" + std::string(field) + ": " + std::string(why));
}

/// The Pins of one Launch, and who is going to use them.
struct PinCheck {
  const spi::Device& device;

  Status operator()(const Pin* pin, std::string_view field, std::uint64_t bytes_min, MapAccess access) const {
    if (pin == nullptr || !*pin) return bad(field, "needs a Pin (Slice::pin)");
    if (pin->size() < bytes_min) return bad(field, "too small").with("needed", bytes_min).with("size", pin->size());
    return core::RegionPin::of(*pin)->region().check_kernels_reach(device, access).with("argument", field);
  }
};

Result<spi::RowsArguments> check(spi::KernelId kernel, const spi::Device& device, const RowLaunch& rows) {
  if (rows.row_bytes == 0) return bad("row_bytes", "zero");
  const std::uint64_t stride = rows.stride_bytes == 0 ? rows.row_bytes : rows.stride_bytes;
  if (stride < rows.row_bytes) return bad("stride_bytes", "smaller than row_bytes: rows would overlap");
  const std::uint32_t id_bytes = rows.id_type == IdType::u32 ? 4 : 8;
  const auto id_size = base::checked_multiply<std::uint64_t>(rows.count, id_bytes);
  const auto packed_size = base::checked_multiply(rows.count, rows.row_bytes);
  if (!id_size || !packed_size) return bad("count", "overflows 64 bits");
  const bool scatters = kernel == spi::KernelId::scatter_rows;
  const PinCheck check_pin{device};
  GPUIO_TRY(check_pin(rows.table, "table", rows.row_bytes, scatters ? MapAccess::read_write : MapAccess::read));
  GPUIO_TRY(check_pin(rows.ids, "ids", *id_size, MapAccess::read));
  GPUIO_TRY(check_pin(rows.packed, "packed", *packed_size, scatters ? MapAccess::read : MapAccess::read_write));
  GPUIO_TRY(check_pin(rows.status, "status", sizeof(std::uint32_t), MapAccess::read_write));
  if (reinterpret_cast<std::uintptr_t>(rows.ids->data()) % id_bytes != 0) return bad("ids", "not aligned to its type");
  if (reinterpret_cast<std::uintptr_t>(rows.status->data()) % sizeof(std::uint32_t) != 0)
    return bad("status", "not aligned to 4");

  spi::RowsArguments arguments{};
  arguments.table = rows.table->data();
  arguments.table_rows = (rows.table->size() - rows.row_bytes) / stride + 1;
  arguments.row_bytes = rows.row_bytes;
  arguments.stride_bytes = stride;
  arguments.ids = rows.ids->data();
  arguments.id_bytes = id_bytes;
  arguments.behind_link = core::RegionPin::of(*rows.table)->region().memory_is_host() ? 1 : 0;
  arguments.count = rows.count;
  arguments.packed = rows.packed->data();
  arguments.status = reinterpret_cast<std::uint32_t*>(rows.status->data());
  return arguments;
}

Status launch(spi::KernelId kernel, const Stream& stream, const RowLaunch& rows) {
  if (stream.state() == nullptr) return Status(Code::closed, "the Stream is empty");
  spi::Device& device = stream.state()->device();
  GPUIO_ASSIGN(const spi::RowsArguments arguments, check(kernel, device, rows));
  if (rows.count == 0) return {};
  return device.launch(stream.state()->handle(), kernel, &arguments);
}

}  // namespace

Status launch_gather(const Stream& stream, const RowLaunch& rows) {
  return launch(spi::KernelId::gather_rows, stream, rows);
}
Status launch_scatter(const Stream& stream, const RowLaunch& rows) {
  return launch(spi::KernelId::scatter_rows, stream, rows);
}

}  // namespace gpuio
