// SPDX-License-Identifier: Apache-2.0
// Replaces a file's contents, all or nothing: readers see the old bytes until commit, and a crash before it loses
// nothing.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "gpuio/gpuio.hpp"

namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main() try {
  const std::string path = std::filesystem::temp_directory_path() / "gpuio_example_06.txt";
  std::ofstream(path) << "the old contents";

  const gpuio::Context io = gpuio::Context::create().value();
  const std::string text = "the new contents, which are longer";
  const gpuio::Buffer memory = io.device("host").value().allocate(text.size()).value();
  std::memcpy(memory.data(), text.data(), text.size());

  gpuio::OpenOptions replace;
  replace.mode = gpuio::OpenMode::replace;
  const gpuio::Store file = io.open(path, replace).value();
  gpuio::throw_if_failed(io.write(file, memory).value().wait());
  std::printf("written, not committed: %s\n", contents(path).c_str());
  gpuio::throw_if_failed(file.commit());  // Flushed, put in place, and the folder flushed.
  std::printf("committed:              %s\n", contents(path).c_str());

  const bool replaced = contents(path) == text;
  std::filesystem::remove(path);
  return replaced ? 0 : 1;
} catch (const gpuio::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
