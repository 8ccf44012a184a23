// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <type_traits>

#include "gpuio/cost_model.hpp"

/// The fields of a model's structs by name, said once for those who write them and those who read them. An Archive is
/// called with the name and the member: a text, a number, a boolean, a struct from here, or a list of these.
namespace gpuio::core {

/// `const` or not: writers take the one, readers the other.
template <class Value, class Type>
concept Of = std::same_as<std::remove_const_t<Value>, Type>;

void fields_of(auto& archive, Of<NodeMemory> auto& value) {
  archive("node", value.node);
  archive("bytes", value.bytes);
}

void fields_of(auto& archive, Of<MachineFingerprint> auto& value) {
  archive("processor", value.processor);
  archive("cores", value.cores);
  archive("memory", value.memory);
  archive("devices", value.devices);
  archive("kernel", value.kernel);
  archive("library_version", value.library_version);
}

void fields_of(auto& archive, Of<MemoryRates> auto& value) {
  archive("threads", value.threads);
  archive("read_bytes_per_second", value.read_bytes_per_second);
  archive("write_bytes_per_second", value.write_bytes_per_second);
  archive("copy_bytes_per_second", value.copy_bytes_per_second);
}

void fields_of(auto& archive, Of<RowRate> auto& value) {
  archive("row_bytes", value.row_bytes);
  archive("one_thread_rows_per_second", value.one_thread_rows_per_second);
  archive("all_threads_rows_per_second", value.all_threads_rows_per_second);
}

void fields_of(auto& archive, Of<MemoryCost> auto& value) {
  archive("node", value.node);
  archive("one_thread", value.one_thread);
  archive("all_threads", value.all_threads);
  archive("load_latency_ns", value.load_latency_ns);
  archive("rows", value.rows);
  archive("atomics_per_second", value.atomics_per_second);
  archive("contended_atomics_per_second", value.contended_atomics_per_second);
}

void fields_of(auto& archive, Of<StreamingRate> auto& value) {
  archive("bytes", value.bytes);
  archive("cached_bytes_per_second", value.cached_bytes_per_second);
  archive("streamed_bytes_per_second", value.streamed_bytes_per_second);
}

void fields_of(auto& archive, Of<ProcessorCost> auto& value) {
  archive("hand_over_ns", value.hand_over_ns);
  archive("streaming", value.streaming);
}

void fields_of(auto& archive, Of<LinkRate> auto& value) {
  archive("bytes", value.bytes);
  archive("to_device_bytes_per_second", value.to_device_bytes_per_second);
  archive("from_device_bytes_per_second", value.from_device_bytes_per_second);
}

void fields_of(auto& archive, Of<PieceRate> auto& value) {
  archive("bytes", value.bytes);
  archive("copy_engine_bytes_per_second", value.copy_engine_bytes_per_second);
  archive("kernel_bytes_per_second", value.kernel_bytes_per_second);
}

void fields_of(auto& archive, Of<DeviceRowRate> auto& value) {
  archive("row_bytes", value.row_bytes);
  archive("pinned_rows_per_second", value.pinned_rows_per_second);
  archive("mapped_rows_per_second", value.mapped_rows_per_second);
}

void fields_of(auto& archive, Of<DeviceCost> auto& value) {
  archive("name", value.name);
  archive("model", value.model);
  archive("bus_id", value.bus_id);
  archive("launch_ns", value.launch_ns);
  archive("register_bytes_per_second", value.register_bytes_per_second);
  archive("link", value.link);
  archive("pieces", value.pieces);
  archive("rows", value.rows);
}

void fields_of(auto& archive, Of<FolderCost> auto& value) {
  archive("folder", value.folder);
  archive("read_bytes_per_second", value.read_bytes_per_second);
  archive("write_bytes_per_second", value.write_bytes_per_second);
  archive("small_reads_per_second", value.small_reads_per_second);
}

void fields_of(auto& archive, Of<CostModel> auto& value) {
  archive("machine", value.machine);
  archive("measured_at", value.measured_at);
  archive("quick", value.quick);
  archive("processor", value.processor);
  archive("memory", value.memory);
  archive("devices", value.devices);
  archive("folders", value.folders);
}

}  // namespace gpuio::core
