// SPDX-License-Identifier: Apache-2.0
// Random reads by KvikIO's C++ interface. A peer: it reads a line a sample and answers with a line of JSON.
//
//   kvikio_random THREADS    10,000 random 4 KiB reads into GPU memory, shared out over THREADS calling threads
//
// Built by benchmarks/gpu.sh on the machine that runs it, against the headers and the library of KvikIO's wheel.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>
#include <sys/resource.h>
#include <kvikio/file_handle.hpp>

namespace {

constexpr std::size_t kReads = 10'000;
constexpr std::size_t kReadBytes = 4096;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

class Reader {
 public:
  explicit Reader(const std::string& path) : file_(path, "r") {
    if (cudaMalloc(reinterpret_cast<void**>(&gpu_), kReads * kReadBytes) != cudaSuccess) {
      throw std::runtime_error("no GPU memory");
    }
    std::mt19937_64 random(1);
    const std::size_t places = file_.nbytes() / kReadBytes;
    for (std::size_t& offset : offsets_) offset = random() % places * kReadBytes;
  }
  ~Reader() { cudaFree(gpu_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void read_all(unsigned threads) {
    std::vector<std::jthread> others;
    for (unsigned thread = 1; thread < threads; ++thread)
      others.emplace_back([=, this] { read_part(thread, threads); });
    read_part(0, threads);
  }

 private:
  void read_part(unsigned thread, unsigned threads) {
    cudaSetDevice(0);
    for (std::size_t i = kReads * thread / threads; i < kReads * (thread + 1) / threads; ++i) {
      if (file_.read(gpu_, kReadBytes, offsets_[i], i * kReadBytes) != kReadBytes) std::terminate();
    }
  }

  kvikio::FileHandle file_;
  std::byte* gpu_ = nullptr;
  std::vector<std::size_t> offsets_ = std::vector<std::size_t>(kReads);
};

std::string answer(Reader& reader, const std::string& line) {
  std::istringstream words(line);
  std::string name;
  unsigned threads = 0;
  words >> name >> threads;
  if (name != "kvikio_random" || threads == 0) throw std::runtime_error("unknown request: " + line);
  const double cpu_before = cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  reader.read_all(threads);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::ostringstream json;
  json << R"({"seconds": )" << seconds << R"(, "cpu_seconds": )" << cpu_seconds() - cpu_before << R"(, "operations": )"
       << kReads << "}";
  return json.str();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: kvikio_random FILE\n";
    return 2;
  }
  try {
    cudaFree(nullptr);  // Makes the primary context current before KvikIO looks for it.
    Reader reader(argv[1]);
    for (std::string line; std::getline(std::cin, line);) {
      try {
        std::cout << answer(reader, line) << std::endl;
      } catch (const std::exception& error) {
        std::cout << R"({"error": ")" << error.what() << R"("})" << std::endl;
      }
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "kvikio_random: " << error.what() << '\n';
    return 1;
  }
}
