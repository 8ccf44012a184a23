// SPDX-License-Identifier: Apache-2.0
#include "guest/numa_maps.h"

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace gpuio::guest {
namespace {

constexpr std::uint64_t kKiB = 1024;

/// The first address of each mapping with its line; a mapping ends where maps says, which numa_maps does not tell.
std::vector<std::pair<std::uint64_t, std::string>> lines_of(const char* path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(std::string(path) + " can't be read");
  std::vector<std::pair<std::uint64_t, std::string>> lines;
  for (std::string line; std::getline(file, line);) lines.emplace_back(std::stoull(line, nullptr, 16), line);
  return lines;
}

/// Adds `N2=128` and the like; the page's size stands at the end of the line.
void add(const std::string& line, KernelMapping& mapping) {
  std::istringstream words(line);
  std::string address;
  words >> address >> mapping.policy;
  std::map<int, std::uint64_t> pages;
  std::uint64_t page_bytes = 0;
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) continue;
    if (word.starts_with("kernelpagesize_kB=")) page_bytes = std::stoull(word.substr(equals + 1)) * kKiB;
    if (word[0] == 'N' && equals > 1)
      pages[std::stoi(word.substr(1, equals - 1))] = std::stoull(word.substr(equals + 1));
  }
  for (const auto& [node, count] : pages) mapping.bytes_by_node[node] += count * page_bytes;
}

}  // namespace

std::uint64_t KernelMapping::total() const {
  std::uint64_t sum = 0;
  for (const auto& [node, bytes] : bytes_by_node) sum += bytes;
  return sum;
}

KernelMapping kernel_mapping(const std::byte* base, std::uint64_t bytes) {
  const auto first = reinterpret_cast<std::uint64_t>(base);
  const auto lines = lines_of("/proc/self/numa_maps");
  KernelMapping mapping;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::uint64_t end = i + 1 < lines.size() ? lines[i + 1].first : ~std::uint64_t{0};
    if (lines[i].first < first + bytes && end > first) add(lines[i].second, mapping);
  }
  return mapping;
}

}  // namespace gpuio::guest
