// SPDX-License-Identifier: Apache-2.0
#include "core/cost_model/fingerprint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <numa.h>
#include <numaif.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/text.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "core/executor/thread.h"
#include "core/placement/numa.h"

namespace gpuio::core {
namespace {

namespace fs = std::filesystem;

/// The start of a file: enough for a processor's name, which the kernel repeats for each core.
std::string read_start(const fs::path& path) {
  std::string text(4096, '\0');
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t got = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

std::string read_word(const fs::path& path) { return std::string(base::trim(base::split(read_start(path), '\n')[0])); }

/// The value of the first line that has `key` before a colon.
std::string value_of(std::string_view text, std::string_view key) {
  for (const std::string_view line : base::split(text, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || base::trim(line.substr(0, colon)) != key) continue;
    return std::string(base::trim(line.substr(colon + 1)));
  }
  return {};
}

std::string processor_of(const fs::path& root) {
  const std::string text = read_start(root / "proc/cpuinfo");
  std::string name = value_of(text, "model name");
  if (!name.empty()) return name;
  const std::string implementer = value_of(text, "CPU implementer");
  const std::string part = value_of(text, "CPU part");
  return implementer.empty() ? "" : fmt::format("implementer {} part {}", implementer, part);
}

/// Of "Node 0 MemTotal:       16384 kB", or the same without the node.
std::uint64_t total_bytes(std::string_view meminfo) {
  constexpr std::string_view kKey = "MemTotal:";
  const std::size_t at = meminfo.find(kKey);
  if (at == std::string_view::npos) return 0;
  const std::string_view rest = base::trim(meminfo.substr(at + kKey.size()));
  std::uint64_t kibibytes = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), kibibytes);
  return kibibytes * base::kKiB;
}

std::optional<int> number_of_node(std::string_view name) {
  constexpr std::string_view kPrefix = "node";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  int node = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), node);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return node;
}

std::vector<NodeMemory> memory_of(const fs::path& root) {
  std::vector<NodeMemory> nodes;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root / "sys/devices/system/node", error)) {
    const std::optional<int> node = number_of_node(entry.path().filename().string());
    if (!node) continue;
    const std::uint64_t bytes = total_bytes(read_start(entry.path() / "meminfo"));
    if (bytes > 0) nodes.push_back({*node, bytes});
  }
  std::ranges::sort(nodes, {}, &NodeMemory::node);
  if (nodes.empty()) nodes.push_back({0, total_bytes(read_start(root / "proc/meminfo"))});
  return nodes;
}

/// PCI class codes of 3D and display controllers and of processing accelerators.
bool is_accelerator(std::string_view class_code) {
  return class_code.starts_with("0x0302") || class_code.starts_with("0x0380") || class_code.starts_with("0x1200");
}

std::vector<std::string> accelerators_of(const fs::path& root) {
  std::vector<std::string> devices;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root / "sys/bus/pci/devices", error)) {
    if (!is_accelerator(read_word(entry.path() / "class"))) continue;
    const auto id = [&](const char* name) {
      const std::string text = read_word(entry.path() / name);
      return text.starts_with("0x") ? text.substr(2) : text;
    };
    devices.push_back(fmt::format("{} {}:{}", entry.path().filename().string(), id("vendor"), id("device")));
  }
  std::ranges::sort(devices);
  return devices;
}

/// What the kernel keeps for itself varies from start to start.
bool same_memory(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t kShare = 64;
  return std::max(a, b) - std::min(a, b) <= std::max(a, b) / kShare;
}

/// Cores of `node` that this process may run on.
unsigned cores_near(int node) { return std::min(numa::processor_count(node), usable_cores()); }

std::uint64_t free_pages_bytes() {
  const long pages = ::sysconf(_SC_AVPHYS_PAGES);
  return static_cast<std::uint64_t>(std::max(pages, 0L)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

MachineFingerprint read_fingerprint(const std::string& root, unsigned cores) {
  const fs::path top = root.empty() ? "/" : root;
  MachineFingerprint machine;
  machine.processor = processor_of(top);
  machine.cores = cores;
  machine.memory = memory_of(top);
  machine.devices = accelerators_of(top);
  machine.kernel = read_word(top / "proc/sys/kernel/osrelease");
  machine.library_version = GPUIO_VERSION;
  return machine;
}

MachineFingerprint this_machine() { return read_fingerprint("", usable_cores()); }

std::string difference(const MachineFingerprint& here, const MachineFingerprint& model) {
  const auto differ = [](std::string_view what, const auto& ours, const auto& theirs) {
    return fmt::format("{} '{}' here, '{}' in the model", what, ours, theirs);
  };
  if (here.library_version != model.library_version) {
    return differ("GPUIO", here.library_version, model.library_version);
  }
  if (here.processor != model.processor) return differ("processor", here.processor, model.processor);
  if (here.cores != model.cores) return fmt::format("{} cores here, {} in the model", here.cores, model.cores);
  if (here.memory.size() != model.memory.size()) {
    return fmt::format("{} memory nodes here, {} in the model", here.memory.size(), model.memory.size());
  }
  for (std::size_t i = 0; i < here.memory.size(); ++i) {
    const NodeMemory& ours = here.memory[i];
    const NodeMemory& theirs = model.memory[i];
    if (ours.node != theirs.node) return fmt::format("memory node {} here, {} in the model", ours.node, theirs.node);
    if (same_memory(ours.bytes, theirs.bytes)) continue;
    return fmt::format("node {} has {} bytes here, {} in the model", ours.node, ours.bytes, theirs.bytes);
  }
  if (here.devices != model.devices) {
    return differ("accelerators", fmt::format("{}", fmt::join(here.devices, ", ")),
                  fmt::format("{}", fmt::join(model.devices, ", ")));
  }
  if (here.kernel != model.kernel) return differ("kernel", here.kernel, model.kernel);
  return {};
}

std::vector<UsableNode> usable_nodes() {
  std::vector<UsableNode> nodes;
  if (::numa_available() >= 0) {
    const std::unique_ptr<bitmask, void (*)(bitmask*)> allowed(::numa_get_mems_allowed(), ::numa_free_nodemask);
    for (int node = 0; node <= ::numa_max_node(); ++node) {
      long long free_bytes = 0;
      const long long bytes = ::numa_node_size64(node, &free_bytes);
      const bool ours = ::numa_bitmask_isbitset(allowed.get(), static_cast<unsigned>(node)) != 0;
      if (bytes <= 0 || !ours) continue;
      nodes.push_back({node, cores_near(node), static_cast<std::uint64_t>(std::max(free_bytes, 0LL))});
    }
  }
  // A sandbox that forbids asking has at least the memory that this runs in.
  if (nodes.empty()) nodes.push_back({0, usable_cores(), free_pages_bytes()});
  return nodes;
}

int node_holding(const std::byte* address) noexcept {
  int node = -1;
  const long done = ::get_mempolicy(&node, nullptr, 0, const_cast<std::byte*>(address), MPOL_F_NODE | MPOL_F_ADDR);
  return done == 0 ? node : -1;
}

}  // namespace gpuio::core
