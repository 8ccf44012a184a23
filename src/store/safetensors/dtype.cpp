// SPDX-License-Identifier: Apache-2.0
#include "store/safetensors/dtype.h"

#include <algorithm>
#include <array>

#include "base/align.h"

namespace gpuio::safetensors {
namespace {

struct DtypeRow {
  std::string_view name;
  unsigned bits;
};

// In the order of Dtype.
constexpr std::array kDtypes = std::to_array<DtypeRow>({
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64},
});
static_assert(kDtypes.size() == static_cast<std::size_t>(Dtype::u64) + 1);

const DtypeRow& row_of(Dtype dtype) noexcept { return kDtypes[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::string_view to_string(Dtype dtype) noexcept { return row_of(dtype).name; }
unsigned bits(Dtype dtype) noexcept { return row_of(dtype).bits; }

}  // namespace gpuio::safetensors

namespace gpuio::store {

using safetensors::Dtype;

std::optional<Dtype> parse_dtype(std::string_view name) noexcept {
  const auto& rows = safetensors::kDtypes;
  const auto found = std::find_if(rows.begin(), rows.end(), [name](const auto& row) { return row.name == name; });
  if (found == rows.end()) return std::nullopt;
  return static_cast<Dtype>(found - rows.begin());
}

std::uint64_t alignment_of(Dtype dtype) noexcept { return std::max(safetensors::bits(dtype) / 8, 1U); }

Result<std::uint64_t> packed_bytes(Dtype dtype, std::span<const std::uint64_t> shape) {
  std::optional<std::uint64_t> total_bits = safetensors::bits(dtype);
  for (const std::uint64_t dimension : shape) {
    total_bits = base::checked_multiply(*total_bits, dimension);
    if (!total_bits) return Status(Code::corrupt, "the shape's product overflows 64 bits");
  }
  if (*total_bits % 8 != 0) return Status(Code::corrupt, "the shape's elements don't fill whole bytes");
  return *total_bits / 8;
}

}  // namespace gpuio::store
