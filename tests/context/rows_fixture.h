// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "assembly/kernels/host_kernels.h"
#include "base/testing/temporary_folder.h"
#include "device/host/driver.h"
#include "support/drawn_layouts.h"
#include "support/fake_context.h"
#include "support/far_device.h"
#include "support/planted_model.h"

namespace gpuio::tests {

/// A Context with an accelerator whose way of moving rows a planted cost model decides.
class Rows : public testing::Test {
 protected:
  static constexpr std::uint64_t kRowBytes = 200;
  static constexpr std::uint64_t kRows = 30'000;
  static constexpr std::uint64_t kIds = 20'000;

  void start(std::optional<core::RowWay> way, const std::string& pinned_budget = "256MiB") {
    ContextOptions options{Settings(), Drive::threads};
    const std::string file = folder_.file("model.json");
    if (way) throw_if_failed(planted_model({{"far:0", *way}}).save(file));
    throw_if_failed(options.settings.set("core.cost_model", way ? file : "off"));
    throw_if_failed(options.settings.set("memory.slab_bytes", "1MiB"));
    throw_if_failed(options.settings.set("memory.pinned_budget_bytes", pinned_budget));
    core::Parts parts = assembly::parts();
    parts.devices.push_back([this](const spi::EngineHost& host) -> std::unique_ptr<spi::DeviceDriver> {
      return std::make_unique<FarDriver>(std::make_unique<host::Driver>(host.executor, 1, assembly::host_kernels()),
                                         rules_);
    });
    context_.emplace(core::ContextState::create(options, std::move(parts)).value());
    own_ = device("far:0").allocate(kIds * kRowBytes).value();
  }

  Device device(std::string_view name) { return context_->device(name).value(); }

  Buffer table(RegionKind kind = RegionKind::pinned, std::string_view of = "far:0") {
    return device(of).allocate(kRows * kRowBytes, {.kind = kind}).value();
  }

  /// The only path of a gather and a scatter of the same rows, with its reason; their bytes are a plain loop's.
  std::string way_of(const Buffer& table, const TransferOptions& options = {}) {
    const Drawn rows = draw();
    const std::vector<Extent> whole{{0, kIds * kRowBytes}};
    const std::string gather = move(table, rows.layout, rows.extents, own_, Layout(), whole, options);
    const std::string scatter = move(own_, Layout(), whole, table, rows.layout, rows.extents, options);
    EXPECT_EQ(gather, scatter);
    return gather;
  }

  Drawn draw() {
    std::vector<std::uint64_t> ids(kRows);
    std::iota(ids.begin(), ids.end(), std::uint64_t{0});
    for (std::uint64_t i = 0; i < kIds; ++i) std::swap(ids[i], ids[i + random_.uniform(kRows - i)]);
    ids.resize(kIds);
    Drawn drawn;
    for (const std::uint64_t id : ids) drawn.extents.push_back({id * kRowBytes, kRowBytes});
    drawn.layout = Layout::rows({0, kRowBytes, 0, std::move(ids)});
    return drawn;
  }

  /// The far device's memory is the host's, whoever it poses as.
  std::string move(const Buffer& from, const Layout& source, const std::vector<Extent>& source_extents,
                   const Buffer& to, const Layout& destination, const std::vector<Extent>& destination_extents,
                   const TransferOptions& options) {
    fill_random(random_, {from.data(), from.size()});
    fill_random(random_, {to.data(), to.size()});
    std::vector<std::byte> expected(to.data(), to.data() + to.size());
    copy_by_hand(expected.data(), destination_extents, from.data(), source_extents);
    const Request request = context_->copy(from, source, to, destination, options).value();
    EXPECT_TRUE(request.wait().ok()) << request.status().to_string();
    EXPECT_EQ(std::memcmp(to.data(), expected.data(), expected.size()), 0) << request.explain();
    EXPECT_EQ(request.progress().done_bytes, kIds * kRowBytes);
    const std::vector<PathUse> paths = request.paths();
    EXPECT_EQ(paths.size(), 1U) << request.explain();
    return paths.front().path + " (" + paths.front().reason + ")";
  }

  const base::testing::TemporaryFolder folder_;
  const std::shared_ptr<FarRules> rules_ = std::make_shared<FarRules>();
  std::optional<Context> context_;
  Buffer own_;
  base::Random random_{20261127};
};

}  // namespace gpuio::tests
