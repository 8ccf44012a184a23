// SPDX-License-Identifier: Apache-2.0
// Reads 100,000 pieces of 4 KiB at random offsets with one Request, packed in the order asked for.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "gpuio/gpuio.hpp"

namespace {

constexpr std::uint64_t kPieceBytes = 4096;
constexpr std::uint64_t kPieces = 16'384;
constexpr std::uint64_t kReads = 100'000;

// Every piece begins with its number.
std::string make_sample() {
  const std::string path = std::filesystem::temp_directory_path() / "gpuio_example_04.bin";
  std::ofstream file(path, std::ios::binary);
  std::vector<char> piece(kPieceBytes);
  for (std::uint64_t i = 0; i < kPieces; ++i) {
    std::memcpy(piece.data(), &i, sizeof i);
    file.write(piece.data(), static_cast<std::streamsize>(piece.size()));
  }
  return path;
}

}  // namespace

int main() try {
  const std::string path = make_sample();
  const gpuio::Context io = gpuio::Context::create().value();
  const gpuio::Store file = io.open(path).value();
  const gpuio::Buffer memory = io.device("host").value().allocate(kReads * kPieceBytes).value();

  std::mt19937_64 random(1);
  std::vector<gpuio::Extent> extents(kReads);
  for (gpuio::Extent& extent : extents) extent = {random() % kPieces * kPieceBytes, kPieceBytes};
  const gpuio::Layout pieces = gpuio::Layout::extents(extents);

  const auto start = std::chrono::steady_clock::now();
  gpuio::throw_if_failed(io.read(file, pieces, memory).value().wait());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < kReads; ++i) {
    std::uint64_t number = 0;
    std::memcpy(&number, memory.data() + i * kPieceBytes, sizeof number);
    if (number * kPieceBytes != extents[i].offset) ++wrong;
  }
  std::printf("%llu reads in %.3f s: %.0f reads/s, %llu wrong\n", static_cast<unsigned long long>(kReads),
              seconds.count(), static_cast<double>(kReads) / seconds.count(), static_cast<unsigned long long>(wrong));
  std::filesystem::remove(path);
  return wrong == 0 ? 0 : 1;
} catch (const gpuio::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
