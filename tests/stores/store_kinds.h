// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gpuio/gpuio.hpp"
#include "support/fake_engine.h"
#include "support/far_device.h"

namespace gpuio::tests {

/// A kind of Store, as all tests here take one: kStoreBytes long, filled with `pattern`.
struct StoreKind {
  const char* name;
  const char* tier;
  std::uint64_t page_bytes = 4096;  ///< The unit of its mappings.
  bool can_grow = true;
  bool has_a_name = true;  ///< It can be opened twice.
};

inline constexpr std::uint64_t kStoreBytes = 8U << 20U;

const std::vector<StoreKind>& store_kinds();

/// The byte that a fresh Store has at an offset.
inline std::byte pattern(std::uint64_t offset) {
  return static_cast<std::byte>((offset + 1) * 0x9e3779b97f4a7c15ULL >> 56U);
}

/// A Context with an accelerator that is none ("far:0") and a Store of the kind under test.
class StoreTest : public testing::TestWithParam<StoreKind> {
 protected:
  StoreTest();
  ~StoreTest() override;

  void SetUp() override;  ///< Skips what this machine has not, with the reason.

  [[nodiscard]] const StoreKind& kind() const { return GetParam(); }
  /// The Store again, if it has a name.
  [[nodiscard]] Result<Store> open(const OpenOptions& options) const { return context_->open(uri_, options); }
  /// Bytes of the Store, by a Request.
  [[nodiscard]] std::vector<std::byte> read(std::uint64_t offset, std::uint64_t length) const;
  /// Cuts it behind the library's back, or through it where there is no other way.
  void cut(std::uint64_t size_bytes) const;

  std::shared_ptr<FarRules> rules_ = std::make_shared<FarRules>();
  FakeEngine* fake_ = nullptr;
  std::optional<Context> context_;
  std::optional<Device> host_;
  std::optional<Device> far_;
  std::string uri_;
  std::string path_;  ///< Of the file behind it; empty where there is none.
  Store store_;

 private:
  void make_store();
  void fill();
};

#define GPUIO_FOR_ALL_STORES(suite)                                                      \
  INSTANTIATE_TEST_SUITE_P(All, suite, testing::ValuesIn(::gpuio::tests::store_kinds()), \
                           [](const auto& kind) { return kind.param.name; })

}  // namespace gpuio::tests
