// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "gpuio/topology.hpp"

// How text and picture say the same things.
namespace gpuio::cli {

/// "0-31,64-95"; "-" for none.
std::string format_ids(std::span<const int> ids);

/// "307 GB/s, 105 ns" of reads; empty where firmware tells neither.
std::string format_access(const NodeAccess& access);

/// "x16 32 GT/s, 63.0 GB/s"; "x2 of x4 ..." where less is in use than could be; empty where there is no link.
std::string format_link(const PciLink& link);
/// True if the link runs at less than the device could.
bool is_narrowed(const PciLink& link);

/// "dax0.0 (devdax)" ... of a region, or "-".
std::string dax_of_region(const Topology& topology, const std::string& region);

/// The text that `gpuio topology` prints.
class Terminal;
std::string topology_text(const Topology& topology, const Terminal& terminal);

/// The picture that `gpuio topology --svg` writes.
std::string topology_svg(const Topology& topology);

}  // namespace gpuio::cli
