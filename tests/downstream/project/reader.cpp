// SPDX-License-Identifier: Apache-2.0
// Reads the file it is given into host memory and compares it with what an ordinary read gets.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "gpuio/gpuio.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const gpuio::Context io = gpuio::Context::create().value();
    const gpuio::Store file = io.open(argv[1]).value();
    const gpuio::Buffer memory = io.device("host").value().allocate(file.size()).value();
    gpuio::throw_if_failed(io.read(file, memory).value().wait());

    std::ifstream stream(argv[1], std::ios::binary);
    const std::string expected{std::istreambuf_iterator<char>(stream), {}};
    const bool same =
        expected.size() == memory.size() && std::memcmp(expected.data(), memory.data(), expected.size()) == 0;
    std::printf("%zu bytes, %s\n", expected.size(), same ? "the same" : "different");
    if (!same || io.open("/no/such/file")) return 1;
  } catch (const gpuio::Error& error) {  // Crosses the shared library's border, so its type must be exported.
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  try {
    gpuio::throw_if_failed(gpuio::Status(gpuio::Code::busy, "thrown on purpose"));
  } catch (const gpuio::Error& error) {
    return error.status().code() == gpuio::Code::busy ? 0 : 1;
  }
  return 1;
}
