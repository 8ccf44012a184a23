// SPDX-License-Identifier: Apache-2.0
#include "cli/calibrate.h"

#include <gtest/gtest.h>

namespace gpuio::cli {
namespace {

CostModel model_of_a_machine() {
  CostModel model;
  model.machine = {"A Processor", 16,   {{0, 64ULL << 30U}, {1, 64ULL << 30U}}, {"0000:17:00.0 10de:2330"},
                   "6.1.0",       "0.1"};
  MemoryCost memory;
  memory.node = 1;
  memory.one_thread = {1, 12e9, 9e9, 8e9};
  memory.all_threads = {16, 120e9, 90e9, 80e9};
  memory.load_latency_ns = 91.4;
  memory.rows = {{128, 15.5e6, 150e6}};
  memory.atomics_per_second = 200e6;
  memory.contended_atomics_per_second = 12e6;
  model.memory.push_back(memory);
  model.processor.hand_over_ns = 5000;
  model.processor.streaming = {{1ULL << 20U, 20e9, 10e9}, {8ULL << 20U, 10e9, 12e9}};
  return model;
}

DeviceCost accelerator() {
  DeviceCost device;
  device.name = "cuda:0";
  device.model = "An Accelerator";
  device.launch_ns = 4200;
  device.link = {{1ULL << 20U, 40e9, 41e9}};
  device.pieces = {{4096, 1e9, 20e9}, {1ULL << 20U, 40e9, 30e9}};
  device.rows = {{128, 111e6, 0}};
  return device;
}

TEST(CalibrateTables, SayWhatWasMeasured) {
  const std::string text = text_of(model_of_a_machine(), Terminal());
  for (const char* words : {"A Processor: 16 cores, 128 GiB on 2 nodes, 1 accelerator\n", "node 1", "12.0 GB/s",
                            "91 ns", "150 M/s", "8.00 MiB"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words << " in\n" << text;
  }
}

TEST(CalibrateTables, SayWhatThePlannerTakesFromThem) {
  CostModel model = model_of_a_machine();
  model.devices.push_back(accelerator());
  const std::string text = text_of(model, Terminal());
  EXPECT_NE(text.find("host copies from 8.00 MiB on pass the caches\n"), std::string::npos) << text;
  EXPECT_NE(text.find("cuda:0: pieces up to 4.00 KiB move with one kernel"), std::string::npos) << text;
}

TEST(CalibrateTables, LeaveOutWhatWasNotMeasured) {
  CostModel model = model_of_a_machine();
  model.devices.push_back(accelerator());
  EXPECT_NE(text_of(model, Terminal()).find("registering memory -\n"), std::string::npos);
  model.memory.clear();
  model.processor = {};
  const std::string text = text_of(model, Terminal());
  EXPECT_EQ(text.find("random rows"), std::string::npos) << text;
  EXPECT_EQ(text.find("on the caller's thread"), std::string::npos) << text;
}

}  // namespace
}  // namespace gpuio::cli
