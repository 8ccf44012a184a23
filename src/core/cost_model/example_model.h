// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gpuio/cost_model.hpp"

namespace gpuio::core {

/// For tests: a model with something in every field.
inline CostModel example_model() {
  CostModel model;
  model.machine = {"A Processor \"9000\"", 16, {{0, 64ULL << 30U}}, {"0000:17:00.0 10de:2330"}, "6.1.0", "0.0"};
  model.measured_at = "2026-03-01T12:00:00Z";
  model.quick = true;
  model.processor.hand_over_ns = 5000;
  model.processor.streaming = {{1ULL << 20U, 20e9, 10e9}, {4ULL << 20U, 11e9, 12e9}, {16ULL << 20U, 9e9, 12.5e9}};
  MemoryCost memory;
  memory.node = 0;
  memory.one_thread = {1, 12e9, 9e9, 8e9};
  memory.all_threads = {16, 120e9, 90e9, 80e9};
  memory.load_latency_ns = 91.25;
  memory.rows = {{128, 15.5e6, 150e6}, {4096, 2e6, 15e6}};
  memory.atomics_per_second = 200e6;
  memory.contended_atomics_per_second = 12e6;
  model.memory.push_back(memory);
  DeviceCost device;
  device.name = "cuda:0";
  device.model = "An Accelerator";
  device.bus_id = "0000:17:00.0";
  device.launch_ns = 4200;
  device.register_bytes_per_second = 20e9;
  device.link = {{64ULL << 10U, 10e9, 11e9}, {64ULL << 20U, 54e9, 55e9}};
  device.pieces = {{4096, 1e9, 20e9}, {64ULL << 10U, 12e9, 40e9}, {256ULL << 10U, 42e9, 41e9}};
  device.rows = {{128, 111e6, 350e6}, {4096, 12e6, 12.5e6}};
  model.devices.push_back(device);
  model.folders.push_back({"/data", 3e9, 2e9, 400e3});
  return model;
}

}  // namespace gpuio::core
