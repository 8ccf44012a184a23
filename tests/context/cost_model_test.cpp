// SPDX-License-Identifier: Apache-2.0
// Contexts with a cost model: what they read, what they decide by it, and a calibration of a whole machine with an
// accelerator.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "assembly/kernels/host_kernels.h"
#include "base/testing/temporary_folder.h"
#include "core/context_state.h"
#include "core/spi/forwarding_device.h"
#include "device/host/driver.h"
#include "gpuio/cost_model.hpp"
#include "support/fake_context.h"
#include "support/wrapping_driver.h"

namespace gpuio::tests {
namespace {

namespace fs = std::filesystem;

/// The host device, posing as one whose memory host code does not reach.
class Accelerator final : public spi::ForwardingDevice {
 public:
  using ForwardingDevice::ForwardingDevice;
  bool memory_is_host() const noexcept override { return false; }
};

class AcceleratorDriver final : public WrappingDriver<Accelerator> {
 public:
  using WrappingDriver::WrappingDriver;
  [[nodiscard]] Result<std::unique_ptr<spi::Device>> open(int ordinal) override {
    // The first is the host's own, as in any Context.
    return ordinal == 0 ? inner_->open(ordinal) : WrappingDriver::open(ordinal);
  }
};

class CostModels : public testing::Test {
 protected:
  void SetUp() override { file_ = (folder_ / "model.json").string(); }

  [[nodiscard]] FakeContext open(std::map<std::string, std::string> settings = {}) const {
    settings.emplace("core.cost_model", file_);
    return make_fake_context(settings);
  }

  /// A quick calibration, saved.
  CostModel calibrated() {
    CalibrateOptions options;
    options.quick = true;
    options.devices = false;
    CostModel model = calibrate(open().context, options).value();
    throw_if_failed(model.save(file_));
    return model;
  }

  static Finding finding_of(const Context& context) {
    for (const Finding& finding : context.diagnose()) {
      if (finding.subject == "cost model") return finding;
    }
    return {};
  }

  const base::testing::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  std::string file_;
};

TEST_F(CostModels, AMissingOneIsNoError) {
  const FakeContext fake = open();
  EXPECT_EQ(CostModel::of(fake.context).error().code(), Code::not_found);
  EXPECT_EQ(finding_of(fake.context).level, Finding::Level::note);
}

TEST_F(CostModels, ADamagedOneLeavesTheDefaultsAndAWarning) {
  std::ofstream(file_) << "{";
  const FakeContext fake = open();
  EXPECT_EQ(CostModel::of(fake.context).error().code(), Code::corrupt);
  EXPECT_EQ(finding_of(fake.context).level, Finding::Level::warning);
  EXPECT_EQ(finding_of(fake.context).fix, "gpuio calibrate");
}

TEST_F(CostModels, ACalibrationIsReadByTheNextContext) {
  const CostModel model = calibrated();
  ASSERT_FALSE(model.memory.empty());
  EXPECT_GT(model.memory[0].one_thread.copy_bytes_per_second, 0);
  EXPECT_TRUE(model.devices.empty());
  const FakeContext fake = open();
  const Result<CostModel> read = CostModel::of(fake.context);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->to_json(), model.to_json());
  EXPECT_EQ(finding_of(fake.context).level, Finding::Level::ok);
  EXPECT_FALSE(CostModel::of(open({{"core.cost_model", "off"}}).context));
}

TEST_F(CostModels, InlineReadsGoUpToWhatTheModelSays) {
  CostModel model = calibrated();
  model.processor.hand_over_ns = 1e9;  // 256 KiB, the most
  throw_if_failed(model.save(file_));
  const std::string path = (folder_ / "data").string();
  std::ofstream(path) << std::string(200 << 10, 'x');
  const auto explain = [&](const Context& context) {
    const Buffer buffer = context.device("host").value().allocate(200 << 10).value();
    const Request read = context.read(context.open(path).value(), buffer).value();
    throw_if_failed(read.wait());
    return read.explain();
  };
  const std::string by_model = explain(open().context);
  EXPECT_NE(by_model.find("by the cost model, a hand-over would cost more"), std::string::npos) << by_model;
  const std::string by_default = explain(open({{"core.cost_model", "off"}}).context);
  EXPECT_EQ(by_default.find("hand-over"), std::string::npos) << by_default;
}

TEST_F(CostModels, ACalibrationMeasuresAcceleratorsAndFolders) {
  ContextOptions options{Settings(), Drive::threads};
  ASSERT_TRUE(options.settings.set("core.cost_model", file_).ok());
  core::Parts parts = assembly::parts();
  parts.devices.clear();
  parts.devices.push_back([](const spi::EngineHost& host) -> std::unique_ptr<spi::DeviceDriver> {
    return std::make_unique<AcceleratorDriver>(
        std::make_unique<host::Driver>(host.executor, 2, assembly::host_kernels()));
  });
  const Context context = core::ContextState::create(options, std::move(parts)).value();
  CalibrateOptions calibration;
  calibration.quick = true;
  calibration.folders = {folder_.string()};
  std::vector<std::string> told;
  calibration.progress = [&told](const CalibrationProgress& progress) {
    told.emplace_back(progress.step);
    return true;
  };
  const CostModel model = calibrate(context, calibration).value();

  ASSERT_EQ(model.devices.size(), 1U);
  const DeviceCost& device = model.devices[0];
  EXPECT_EQ(device.name, "host:1");
  EXPECT_GT(device.launch_ns, 0);
  for (const LinkRate& rate : device.link) {
    EXPECT_GT(rate.to_device_bytes_per_second, 0) << rate.bytes;
    EXPECT_GT(rate.from_device_bytes_per_second, 0) << rate.bytes;
  }
  for (const PieceRate& rate : device.pieces) {
    EXPECT_GT(rate.copy_engine_bytes_per_second, 0) << rate.bytes;
    EXPECT_GT(rate.kernel_bytes_per_second, 0) << rate.bytes;
  }
  for (const DeviceRowRate& rate : device.rows) EXPECT_GT(rate.pinned_rows_per_second, 0) << rate.row_bytes;
  EXPECT_EQ(model.thresholds().devices.at(0).name, "host:1");

  ASSERT_EQ(model.folders.size(), 1U);
  EXPECT_GT(model.folders[0].write_bytes_per_second, 0);
  EXPECT_TRUE(fs::is_empty(folder_));
  EXPECT_EQ(told.back(), "done");
  EXPECT_NE(std::ranges::find(told, "host:1"), told.end());
}

TEST_F(CostModels, ACancelledCalibrationIsNoModel) {
  CalibrateOptions options;
  options.quick = true;
  options.progress = [](const CalibrationProgress& progress) { return progress.done == 0; };
  EXPECT_EQ(calibrate(open().context, options).error().code(), Code::cancelled);
  options.progress = {};
  options.cancelled = [] { return true; };
  EXPECT_EQ(calibrate(open().context, options).error().code(), Code::cancelled);
}

TEST_F(CostModels, AFolderThatIsNotThereIsNamed) {
  CalibrateOptions options;
  options.quick = true;
  options.devices = false;
  options.folders = {(folder_ / "missing").string()};
  const Result<CostModel> model = calibrate(open().context, options);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code(), Code::not_found);
  EXPECT_NE(model.error().to_string().find("missing"), std::string::npos);
}

}  // namespace
}  // namespace gpuio::tests
