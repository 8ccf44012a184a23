// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"
#include "gpuio/safetensors.hpp"

// Files and bytes for tests of models. Files are written without any of the code under test.
namespace gpuio::store {

struct TestTensor {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::string bytes;
};

/// A file of `tensors` in their order; blanks after the JSON as many as `padding`.
inline std::string file_of(const std::vector<TestTensor>& tensors, std::size_t padding = 0) {
  std::string json = R"({"__metadata__":{"made":"by a test"})";
  std::string data;
  for (const TestTensor& tensor : tensors) {
    json += fmt::format(R"(,"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", tensor.name, tensor.dtype,
                        fmt::join(tensor.shape, ","), data.size(), data.size() + tensor.bytes.size());
    data += tensor.bytes;
  }
  json += "}" + std::string(padding, ' ');
  std::string prefix;
  for (std::size_t i = 0; i < 8; ++i) prefix += static_cast<char>((json.size() >> (8 * i)) & 0xFF);
  return prefix + json + data;
}

inline std::string random_bytes(base::Random& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

/// Tensors of all widths, some without bytes, some scalars; in no helpful order.
inline std::vector<TestTensor> random_tensors(base::Random& random, std::size_t count, const std::string& prefix) {
  struct Kind {
    const char* dtype;
    std::uint64_t bytes;
  };
  constexpr Kind kKinds[] = {{"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"BF16", 2}, {"F16", 2},
                             {"F32", 4}, {"I32", 4},  {"F64", 8},     {"C64", 8},  {"I64", 8}};
  std::vector<TestTensor> tensors;
  for (std::size_t i = 0; i < count; ++i) {
    const Kind& kind = kKinds[random.uniform(std::size(kKinds))];
    TestTensor tensor{fmt::format("{}{}", prefix, i), kind.dtype, {}, {}};
    std::uint64_t bytes = kind.bytes;
    for (std::uint64_t rank = random.uniform(4); rank > 0; --rank) {
      tensor.shape.push_back(random.uniform(random.chance(0.1) ? 300 : 12));
      bytes *= tensor.shape.back();
    }
    tensor.bytes = random_bytes(random, bytes);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

/// A folder that goes with the test.
class TempFolder {
 public:
  TempFolder() : path_(std::filesystem::temp_directory_path() / "gpuio_model_XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(file(name), std::ios::binary) << bytes;
    return file(name);
  }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::string path_;
};

inline std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What a Slice of host memory holds.
inline std::string text_of(const Slice& slice) {
  return slice.size() == 0 ? std::string() : std::string(reinterpret_cast<const char*>(slice.data()), slice.size());
}

inline Buffer host_buffer(const Context& context, std::string_view bytes) {
  Buffer buffer = context.device("host").value().allocate(std::max<std::size_t>(bytes.size(), 1)).value();
  std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return buffer;
}

}  // namespace gpuio::store
