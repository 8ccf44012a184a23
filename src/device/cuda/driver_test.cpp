// SPDX-License-Identifier: Apache-2.0
#include "device/cuda/driver.h"

#include <gtest/gtest.h>

#include <string>

// The loader and the adapter against fakes of the shared object (fake_table.cpp); no GPU is needed.
namespace gpuio::cuda {
namespace {

/// Options that find the fake which is wrong in `fault`, on a machine that has "the driver".
LoadOptions fake(const std::string& fault) {
  return {std::string(GPUIO_FAKE_CUDA_FOLDER) + "/fake_cuda_" + fault + ".so", "libc.so.6"};
}

Status refusal(const LoadOptions& options) {
  Driver driver(options);
  const auto count = driver.count();
  EXPECT_EQ(driver.open(0).status().code(), count.status().code()) << "open gives the same answer as count";
  return count.status();
}

void expect_refusal(const LoadOptions& options, const std::string& reason) {
  const Status status = refusal(options);
  EXPECT_EQ(status.code(), Code::unsupported) << status.to_string();
  EXPECT_NE(status.to_string().find(reason), std::string::npos) << status.to_string();
}

TEST(CudaLoader, NoDriverSaysWhatToInstall) {
  expect_refusal({"", "libcuda-that-nobody-has.so.1"}, "install the NVIDIA driver");
}

TEST(CudaLoader, NoSharedObjectSaysWhereItIsExpected) {
  expect_refusal({"/nowhere/libgpuio_cuda.so", "libc.so.6"}, "/nowhere/libgpuio_cuda.so");
  expect_refusal({"/nowhere/libgpuio_cuda.so", "libc.so.6"}, "device.cuda_library");
}

TEST(CudaLoader, AnotherBuildIsRefused) { expect_refusal(fake("build_id"), "0.0.1-of-yesterday"); }

TEST(CudaLoader, AnotherSizeOfTheTableIsRefused) { expect_refusal(fake("size"), "bytes instead of"); }

TEST(CudaLoader, AnotherLayoutOfArgumentsIsRefused) { expect_refusal(fake("layout_hash"), "laid out differently"); }

TEST(CudaLoader, ASharedObjectWithoutTheTableIsRefused) { expect_refusal(fake("symbol"), "gpuio_cuda_get_table"); }

TEST(CudaDriver, NamesAndBoundsItsDevices) {
  Driver driver(fake("none"));
  EXPECT_EQ(driver.count().value(), 1);
  EXPECT_EQ(driver.name(0), "cuda:0");
  EXPECT_EQ(driver.open(1).status().code(), Code::not_found);
  const auto device = driver.open(0).value();
  EXPECT_EQ(device->info().model, "Fake GPU");
  EXPECT_EQ(device->info().bus_id, "0000:FF:00.0");
}

TEST(CudaDevice, FailuresCarryKindNameAndNumber) {
  Driver driver(fake("none"));
  const auto device = driver.open(0).value();
  const Status full = device->allocate(RegionKind::device, 64, {}).status();
  EXPECT_EQ(full.code(), Code::out_of_memory);
  EXPECT_EQ(full.native(), 2);
  EXPECT_NE(full.to_string().find("fakeErrorFull"), std::string::npos);
  const Status strange = device->create_stream().status();
  EXPECT_EQ(strange.code(), Code::device_error);
  EXPECT_EQ(strange.native(), 9999);
}

TEST(CudaDevice, MappedMemoryStaysWithinTheCardsFreeMemory) {
  Driver driver(fake("none"));  // 500 bytes free.
  const auto device = driver.open(0).value();
  EXPECT_EQ(device->allocate(RegionKind::mapped, 501, {}).status().code(), Code::resource_exhausted);
  std::byte* memory = device->allocate(RegionKind::mapped, 400, {}).value();
  const Status second = device->allocate(RegionKind::mapped, 200, {}).status();
  EXPECT_EQ(second.code(), Code::resource_exhausted) << "what is mapped already counts";
  EXPECT_NE(second.to_string().find("pinned"), std::string::npos) << "says what to use instead";
  EXPECT_TRUE(device->free(RegionKind::mapped, memory, 400).ok());
  EXPECT_TRUE(device->allocate(RegionKind::mapped, 200, {}).has_value());
}

TEST(CudaDevice, AbilitiesThatTheDriverLacksHaveTheirReasons) {
  Driver driver(fake("none"));
  const auto device = driver.open(0).value();
  EXPECT_TRUE(device->capability(Ability::mapped_regions));
  for (const Ability ability : {Ability::register_read_only, Ability::stream_wait_word, Ability::dmabuf_export}) {
    const Capability answer = device->capability(ability);
    EXPECT_FALSE(answer);
    EXPECT_FALSE(answer.reason.empty());
  }
  EXPECT_EQ(device->export_dmabuf(nullptr, 4096).status().code(), Code::unsupported);
}

}  // namespace
}  // namespace gpuio::cuda
