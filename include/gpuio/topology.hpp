// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gpuio/finding.hpp"
#include "gpuio/result.hpp"

namespace gpuio {

/// What the memory of a node is, as far as the kernel tells.
enum class MemoryTier : std::uint8_t {
  dram,  ///< Beside processors, or nothing says otherwise.
  hbm,   ///< In a faster tier of the kernel's than DRAM is.
  cxl,   ///< Behind a CXL decoder.
  far,   ///< In a slower tier of the kernel's than DRAM is, and not known to be CXL.
};
std::string_view to_string(MemoryTier tier) noexcept;  ///< "dram"

/// A node's distance from another, as the firmware's SLIT has it: 10 is the node itself, larger is farther.
struct NodeDistance {
  int node = 0;                ///< Its id.
  std::uint32_t distance = 0;  ///< 10 and more.
};

/// What the firmware (HMAT) promises to those processors that reach a node best. Zeros: it promises nothing.
struct NodeAccess {
  std::vector<int> initiators;                         ///< Nodes of those processors.
  std::uint64_t read_bandwidth_bytes_per_second = 0;   ///< From memory.
  std::uint64_t write_bandwidth_bytes_per_second = 0;  ///< To memory.
  std::uint32_t read_latency_ns = 0;                   ///< Of a load.
  std::uint32_t write_latency_ns = 0;                  ///< Of a store.
};

/// One node of host memory that is on line.
struct MemoryNode {
  int id = 0;                           ///< What Placement takes.
  std::uint64_t total_bytes = 0;        ///< 0: a node of processors alone.
  std::uint64_t free_bytes = 0;         ///< In nobody's use.
  std::uint64_t available_bytes = 0;    ///< free_bytes and what clean file pages would give back.
  std::vector<int> cpus;                ///< Empty for memory without processors, as CXL has it.
  MemoryTier tier = MemoryTier::dram;   ///< What it is made of.
  std::optional<int> kernel_tier;       ///< N of the kernel's memory_tierN; lower is faster.
  bool usable = false;                  ///< This process may have memory of it.
  std::string reason;                   ///< Why not.
  std::vector<NodeDistance> distances;  ///< To each node on line, itself too.
  NodeAccess access;                    ///< Rates and latencies that firmware told.
};

/// What a device is, by its PCI class.
enum class DeviceKind : std::uint8_t { accelerator, storage, network };
std::string_view to_string(DeviceKind kind) noexcept;  ///< "accelerator"

/// A PCI link: what was negotiated, and what both sides could.
struct PciLink {
  double speed_gt_per_second = 0;      ///< Per lane; 0: unknown, or no PCI Express.
  std::uint32_t width = 0;             ///< Lanes.
  double speed_max_gt_per_second = 0;  ///< Of the device.
  std::uint32_t width_max = 0;         ///< Of the device.

  /// What the link carries one way after its line code; 0 where it is unknown.
  [[nodiscard]] std::uint64_t bytes_per_second() const noexcept;
  [[nodiscard]] std::uint64_t max_bytes_per_second() const noexcept;  ///< The same of what it could.
};

/// An accelerator, drive or network adapter and where it hangs.
struct TopologyDevice {
  DeviceKind kind = DeviceKind::storage;  ///< By its PCI class.
  std::string name;                  ///< "nvme0", "eth0", an accelerator's model; the address where nobody names it.
  std::string address;               ///< "0000:3b:00.0"
  std::string vendor;                ///< "NVIDIA", or the number: "0x1234"
  std::string driver;                ///< "nvidia", "nvme"; empty where none has it.
  int node = -1;                     ///< Nearest; -1: firmware does not tell.
  PciLink link;                      ///< Its own, to the bridge above.
  std::vector<std::string> bridges;  ///< Addresses from the root port down to the one above it.
};

/// A CXL memory device.
struct CxlMemory {
  std::string name;              ///< "mem0"
  std::string address;           ///< PCI address; empty where it is none.
  std::string serial;            ///< As the kernel prints it.
  std::string firmware;          ///< Version.
  std::uint64_t ram_bytes = 0;   ///< Volatile.
  std::uint64_t pmem_bytes = 0;  ///< Persistent.
  int node = -1;                 ///< Nearest; -1: unknown.
};

/// Where a CXL decoder sits.
enum class CxlDecoderKind : std::uint8_t { root, port, endpoint };
std::string_view to_string(CxlDecoderKind kind) noexcept;  ///< "root"

/// A CXL decoder: it claims a range of addresses and passes it on, or to its own memory.
struct CxlDecoder {
  std::string name;                            ///< "decoder0.0"
  CxlDecoderKind kind = CxlDecoderKind::port;  ///< Where it sits.
  std::string port;                            ///< "root0", "port1", "endpoint2"
  std::uint64_t start = 0;                     ///< First physical address; meaningless while size_bytes is 0.
  std::uint64_t size_bytes = 0;                ///< 0: not programmed.
  std::uint32_t interleave_ways = 0;           ///< Targets it deals to.
  std::uint32_t interleave_granularity = 0;    ///< Bytes to each in turn.
  std::string mode;                            ///< Of an endpoint's: "ram", "pmem", "none".
  std::string region;                          ///< Whose part it is; empty: free.
};

/// Addresses that a CXL region gives to memory of one or several devices.
struct CxlRegion {
  std::string name;                          ///< "region0"
  std::string mode;                          ///< "ram", "pmem"; empty on kernels that do not tell.
  std::uint64_t start = 0;                   ///< First physical address.
  std::uint64_t size_bytes = 0;              ///< 0: not configured.
  std::uint32_t interleave_ways = 0;         ///< Devices.
  std::uint32_t interleave_granularity = 0;  ///< Bytes on each in turn.
  bool committed = false;                    ///< Decoders are programmed: the addresses answer.
  std::vector<std::string> memories;         ///< "mem0", in interleave order; empty where the kernel does not tell.
  int node = -1;                             ///< The node that its bytes are, -1: no node's.
};

/// How a dax device is used.
enum class DaxMode : std::uint8_t { devdax, system_ram, unbound };
std::string_view to_string(DaxMode mode) noexcept;  ///< "devdax"

/// Memory that the kernel leaves to a program (devdax) or has taken as a node's (system_ram).
struct DaxDevice {
  std::string name;                 ///< "dax0.0"
  std::string path;                 ///< "/dev/dax0.0" in mode devdax; empty otherwise.
  DaxMode mode = DaxMode::unbound;  ///< How it is used.
  std::uint64_t size_bytes = 0;     ///< Of it.
  std::uint64_t align_bytes = 0;    ///< Offsets and lengths of mappings are multiples.
  int node = -1;                    ///< Nearest node with processors; -1: unknown.
  int target_node = -1;             ///< The node that it is, or becomes as system_ram.
  std::string region;               ///< CXL region that it is made of; empty: none.
};

/// The machine's memory and what hangs on it: a copy, true when it was read. Ordered by id and by name.
///
/// Thread safety: as a vector.
struct Topology {
  std::vector<MemoryNode> nodes;         ///< On line.
  std::vector<int> offline_nodes;        ///< The kernel has room for them, and nothing is there now.
  std::vector<TopologyDevice> devices;   ///< Accelerators, drives and network adapters on PCI.
  std::vector<CxlMemory> cxl_memories;   ///< Memory devices.
  std::vector<CxlDecoder> cxl_decoders;  ///< From the roots down.
  std::vector<CxlRegion> cxl_regions;    ///< Configured or not.
  std::vector<DaxDevice> dax_devices;    ///< Of CXL and others.
  std::vector<int> allowed_cpus;         ///< Those that this process may run on (affinity, cpuset).
  std::uint64_t memory_limit_bytes = 0;  ///< The least of this process's control groups; 0: no limit.

  [[nodiscard]] const MemoryNode* node(int id) const noexcept;  ///< Null: none on line has that id.

  /// 0 where the firmware tells none.
  [[nodiscard]] std::uint32_t distance(int from, int to) const noexcept;

  /// Processors to use memory of `node` from: its own, or for memory without any those that the firmware says reach it
  /// best, or else those of the least distance. Empty where there is no such node.
  [[nodiscard]] std::vector<int> cpus_near(int node) const;

  /// What stands out, for `gpuio doctor`: a node that may not be used, a narrow link, memory that nobody configured.
  [[nodiscard]] std::vector<Finding> diagnose() const;
};

/// Reads the topology from the kernel's files: no accelerator is opened and nothing is measured. Takes milliseconds.
///
/// `root`: where `sys` and `proc` are; another folder holds a copy of another machine's (`gpuio topology --root`).
/// A missing part (no CXL, no HMAT, no PCI) is an empty list. Fails with `not_found` if there is neither a node nor
/// a processor below `root`, `corrupt` where a file holds what the kernel never writes (names the file).
[[nodiscard]] Result<Topology> read_topology(const std::string& root = "/");

}  // namespace gpuio
