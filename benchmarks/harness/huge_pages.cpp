// SPDX-License-Identifier: Apache-2.0
#include "harness/huge_pages.h"

#include <fstream>
#include <string>

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kHugePageBytes = std::uint64_t{2} << 20;
constexpr const char* kReserved = "/proc/sys/vm/nr_hugepages";

std::uint64_t read_number(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  file >> number;
  return number;
}

std::uint64_t free_pages() { return read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"); }

bool reserve(std::uint64_t pages) {
  std::ofstream file(kReserved);
  file << pages << std::flush;
  return file.good();
}

}  // namespace

HugePages::HugePages(std::uint64_t bytes) : reserved_before_(read_number(kReserved)) {
  const std::uint64_t wanted = (bytes + kHugePageBytes - 1) / kHugePageBytes;
  if (free_pages() < wanted) changed_ = reserve(reserved_before_ + wanted);
  available_ = free_pages() >= wanted;
}

HugePages::~HugePages() {
  if (changed_) reserve(reserved_before_);
}

}  // namespace gpuio::bench
