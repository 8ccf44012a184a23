// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "base/text.h"
#include "core/topology/parts.h"

namespace gpuio::core::topology {
namespace {

const std::filesystem::path kDevices = "sys/bus/pci/devices";

struct Vendor {
  std::uint64_t id;
  std::string_view name;
};
constexpr std::array kVendors = {
    Vendor{0x10de, "NVIDIA"},   Vendor{0x1002, "AMD"},     Vendor{0x8086, "Intel"},
    Vendor{0x15b3, "Mellanox"}, Vendor{0x144d, "Samsung"}, Vendor{0x1af4, "virtio"},
    Vendor{0x1d0f, "Amazon"},   Vendor{0x1344, "Micron"},  Vendor{0x14e4, "Broadcom"},
    Vendor{0x1b36, "QEMU"},     Vendor{0x1ae0, "Google"},  Vendor{0x1414, "Microsoft"},
    Vendor{0x1c5c, "SK hynix"}, Vendor{0x1e0f, "KIOXIA"},  Vendor{0x15b7, "Western Digital"},
};

std::string vendor_name(const Sysfs& sysfs, const std::filesystem::path& folder) {
  const std::string text = sysfs.text_or_empty(folder / "vendor");
  const std::optional<std::uint64_t> id = parse_number(text);
  const auto* const known = std::ranges::find_if(kVendors, [&](const Vendor& vendor) { return vendor.id == id; });
  return known != kVendors.end() ? std::string(known->name) : text;
}

/// Displays that are no accelerators (a server's management console) are of other vendors than these.
bool computes(std::uint64_t vendor) { return vendor == 0x10de || vendor == 0x1002 || vendor == 0x8086; }

std::optional<DeviceKind> kind_of(std::uint64_t pci_class, std::uint64_t vendor) {
  constexpr std::uint64_t kDisplayOther = 0x02;  // "3D controller": a GPU without a connector.
  switch (pci_class >> 16U) {
    case 0x01:
      return DeviceKind::storage;
    case 0x02:
      return DeviceKind::network;
    case 0x03:
      if ((pci_class >> 8U & 0xFFU) == kDisplayOther || computes(vendor)) return DeviceKind::accelerator;
      return std::nullopt;
    case 0x12:
      return DeviceKind::accelerator;
    default:
      return std::nullopt;
  }
}

/// "16.0 GT/s PCIe"; 0 for "Unknown".
double speed_of(std::string_view text) {
  double speed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), speed);
  return error == std::errc() && std::string_view(end, text.data() + text.size()).starts_with(" GT/s") ? speed : 0;
}

PciLink read_link(const Sysfs& sysfs, const std::filesystem::path& folder) {
  const auto width = [&](const char* file) {
    const std::uint64_t lanes = sysfs.number_or(folder / file, 0);
    return lanes <= 32 ? static_cast<std::uint32_t>(lanes) : 0;  // A link that is down has 63 or 255.
  };
  PciLink link;
  link.speed_gt_per_second = speed_of(sysfs.text_or_empty(folder / "current_link_speed"));
  link.width = width("current_link_width");
  link.speed_max_gt_per_second = speed_of(sysfs.text_or_empty(folder / "max_link_speed"));
  link.width_max = width("max_link_width");
  return link;
}

bool is_address(std::string_view text) {
  // "0000:3b:00.0"; domains may have more digits.
  return text.size() >= 12 && text.find_first_not_of("0123456789abcdef:.") == std::string_view::npos &&
         text[text.size() - 2] == '.' && std::ranges::count(text, ':') == 2;
}

/// What the kernel calls it: a virtio device's disk or adapter hangs one level lower.
std::string name_of(const Sysfs& sysfs, const std::filesystem::path& folder, DeviceKind kind,
                    const std::string& address) {
  std::vector<std::filesystem::path> places = {folder};
  for (const std::string& child : sysfs.names(folder, "virtio")) places.push_back(folder / child);
  for (const auto& place : places) {
    for (const char* family : {kind == DeviceKind::network ? "net" : "nvme", "block"}) {
      const std::vector<std::string> names = sysfs.names(place / family);
      if (!names.empty()) return names.front();
    }
  }
  const std::string information = sysfs.text_or_empty("proc/driver/nvidia/gpus/" + address + "/information");
  for (const std::string_view line : base::split(information, '\n')) {
    if (line.starts_with("Model:")) return std::string(base::trim(line.substr(6)));
  }
  return address;
}

}  // namespace

void read_pci(const Sysfs& sysfs, Topology& topology) {
  std::vector<std::string> addresses = sysfs.names(kDevices);
  std::ranges::sort(addresses);  // Hexadecimal: "3a" before "98" before "d7".
  for (const std::string& address : addresses) {
    const std::filesystem::path folder = kDevices / address;
    const auto kind = kind_of(sysfs.number_or(folder / "class", 0), sysfs.number_or(folder / "vendor", 0));
    if (!kind) continue;
    TopologyDevice device;
    device.kind = *kind;
    device.name = name_of(sysfs, folder, *kind, address);
    device.address = address;
    device.vendor = vendor_name(sysfs, folder);
    device.driver = sysfs.link_name(folder / "driver");
    device.node = sysfs.node_in(folder / "numa_node");
    device.link = read_link(sysfs, folder);
    for (std::string& part : sysfs.real_parts(folder)) {
      if (part != address && is_address(part)) device.bridges.push_back(std::move(part));
    }
    topology.devices.push_back(std::move(device));
  }
  // Firmware of machines with one node often tells none.
  if (topology.nodes.size() != 1) return;
  for (TopologyDevice& device : topology.devices) device.node = topology.nodes.front().id;
}

}  // namespace gpuio::core::topology
