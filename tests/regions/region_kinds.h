// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "gpuio/gpuio.hpp"
#include "support/child_process.h"
#include "support/fake_engine.h"
#include "support/far_device.h"

namespace gpuio::tests {

/// A kind of Region, as all tests here take one: kRegionBytes long.
struct KindOfRegion {
  enum class Source : std::uint8_t {
    allocated,  ///< By `device`.
    lent,       ///< The test's own memory.
    mapped,     ///< A Store.
    received,   ///< From another process.
  };

  const char* name;
  Source source;
  const char* device = "host";
  RegionKind kind = RegionKind::device;  ///< Of what is allocated or lent.
  Placement placement{};                 ///< Of what is allocated.
  const char* uri = "";                  ///< Of what is mapped; * stands for a name that is nobody's yet.
  DeviceAccess device_access = DeviceAccess::automatic;  ///< To what is mapped.

  [[nodiscard]] bool may_be_read_only() const { return source == Source::mapped || (received() && on_host()); }
  [[nodiscard]] bool received() const { return source == Source::received; }
  [[nodiscard]] bool on_host() const { return std::string_view(device) == "host"; }
  [[nodiscard]] bool on_gpu() const { return std::string_view(device).starts_with("cuda"); }
  [[nodiscard]] std::string_view driver() const {
    return std::string_view(device).substr(0, std::string_view(device).find(':'));
  }
  /// Memory that only its accelerator reaches.
  [[nodiscard]] bool is_accelerators_own() const {
    return !on_host() &&
           (received() ? driver() == "handle" : source == Source::allocated && kind == RegionKind::device);
  }
};

inline constexpr std::uint64_t kRegionBytes = 2U << 20U;  // A page of any dax device.

const std::vector<KindOfRegion>& region_kinds();
/// Those of which a Region can be made that nobody may store to.
std::vector<KindOfRegion> read_only_region_kinds();

/// A Context with accelerators that are none, and a Region of the kind under test. What a Region can do is asked; a
/// test knows its kind only to make it.
class RegionTest : public testing::TestWithParam<KindOfRegion> {
 protected:
  RegionTest();
  ~RegionTest() override;

  void SetUp() override;  ///< Skips what this machine has not, with the reason.

  /// A Region of any kind; fails with the reason why this machine has none.
  [[nodiscard]] Result<Buffer> make(const KindOfRegion& kind, MapAccess access = MapAccess::read_write);

  /// Bytes by a Request, to a Slice as long as they are.
  void put(const Slice& memory, std::span<const std::byte> bytes) const;
  [[nodiscard]] std::vector<std::byte> get(const Slice& memory) const;
  [[nodiscard]] std::vector<std::byte> random_bytes(std::uint64_t count);
  /// New memory of `device` with that in it.
  template <class T>
  [[nodiscard]] Buffer upload(const Device& device, const std::vector<T>& values) const {
    Buffer memory = device.allocate(values.size() * sizeof(T)).value();
    put(memory, std::as_bytes(std::span(values)));
    return memory;
  }
  template <class T>
  [[nodiscard]] std::vector<T> download(const Slice& memory) const {
    const std::vector<std::byte> bytes = get(memory);
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
    return values;
  }
  /// The test's own memory as a Slice's.
  [[nodiscard]] Buffer lend(std::span<const std::byte> bytes) const;

 private:
  [[nodiscard]] Result<Buffer> make_mapped(const KindOfRegion& kind, const Device& device, MapAccess access);
  [[nodiscard]] Result<Buffer> receive(const Device& device, MapAccess access);
  [[nodiscard]] std::string unique_name();

  std::optional<ChildProcess> peer_;  // Before there is any thread.
  std::list<std::vector<std::byte>> lent_;
  std::vector<std::string> files_;
  std::uint64_t dax_used_bytes_ = 0;

 protected:
  std::shared_ptr<FarRules> rules_ = std::make_shared<FarRules>();
  FakeEngine* fake_ = nullptr;
  std::optional<Context> context_;
  std::optional<Device> host_;
  std::optional<Device> device_;  ///< Of the Region under test.
  Buffer memory_;                 ///< The Region under test.
  base::Random random_{20261127};
};

/// The same, its bytes being random ones that a plain vector has too.
class FilledRegionTest : public RegionTest {
 protected:
  void SetUp() override;

  std::vector<std::byte> model_;
};

#define GPUIO_FOR_ALL_REGIONS(suite)                                                      \
  INSTANTIATE_TEST_SUITE_P(All, suite, testing::ValuesIn(::gpuio::tests::region_kinds()), \
                           [](const auto& kind) { return kind.param.name; })

}  // namespace gpuio::tests
