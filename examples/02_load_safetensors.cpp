// SPDX-License-Identifier: Apache-2.0
// Loads a model: all of it as one Request, then some rows of one tensor.
// Usage: 02_load_safetensors [FILE | FOLDER | INDEX]
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "gpuio/gpuio.hpp"

namespace {

namespace st = gpuio::safetensors;

std::string make_sample(const gpuio::Context& io) {
  const std::string path = std::filesystem::temp_directory_path() / "gpuio_example_02.safetensors";
  const gpuio::Buffer memory = io.device("host").value().allocate(1000 * 64 * sizeof(float)).value();
  auto* values = reinterpret_cast<float*>(memory.data());
  for (int i = 0; i < 1000 * 64; ++i) {
    const int row = i / 64;
    values[i] = static_cast<float>(row);  // Every value tells its row.
  }
  const std::vector<st::SaveTensor> tensors{
      {"embedding.weight", st::Dtype::f32, {1000, 64}, memory},
      {"norm.bias", st::Dtype::f32, {64}, memory.slice(0, 64 * sizeof(float)).value()},
  };
  gpuio::throw_if_failed(st::save(io, path, tensors, {{"format", "pt"}}));
  return path;
}

}  // namespace

int main(int argc, char** argv) try {
  const gpuio::Context io = gpuio::Context::create().value();
  const std::string path = argc > 1 ? argv[1] : make_sample(io);
  const st::Model model = st::Model::open(io, path).value();  // Every header is read and checked here.
  std::printf("%zu tensors in %zu files, %.1f MB\n", model.tensors().size(), model.files().size(),
              static_cast<double>(model.size_bytes()) / 1e6);

  const st::Loaded all = model.load(io.device("auto").value()).value();
  gpuio::throw_if_failed(all.request.wait());
  for (const st::Tensor& tensor : all.tensors) {
    if (&tensor - all.tensors.data() == 5) break;
    std::printf("  %-40s %-5s %10llu bytes at %p\n", tensor.info.name.c_str(),
                std::string(st::to_string(tensor.info.dtype)).c_str(),
                static_cast<unsigned long long>(tensor.bytes.size()), static_cast<void*>(tensor.bytes.data()));
  }

  if (argc < 2) {
    const std::vector<st::Selection> rows{{"embedding.weight", 10, 12}};
    const st::Loaded two = model.load(io.device("host").value(), rows).value();
    gpuio::throw_if_failed(two.request.wait());
    const auto* values = reinterpret_cast<const float*>(two.tensors[0].bytes.data());
    std::printf("rows 10 and 11 begin with %g and %g\n", static_cast<double>(values[0]),
                static_cast<double>(values[64]));
    std::filesystem::remove(path);
  }
} catch (const gpuio::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
