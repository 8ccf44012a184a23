// SPDX-License-Identifier: Apache-2.0
#include "device/cuda/loader.h"

#include <dlfcn.h>

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/try.h"
#include "core/spi/kernels.h"

namespace gpuio::cuda {
namespace {

constexpr const char* kFileName = "libgpuio_cuda.so";

/// The folder of the executable or shared object that this code is in; empty where nobody can tell.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&load_table), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code error;
  // A program knows itself by the name it was started with, which may be relative and found through PATH.
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path file(info.dli_fname);
  const bool is_program = !error && file.filename() == program.filename();
  return (is_program ? program : std::filesystem::absolute(file, error)).parent_path();
}

std::vector<std::string> candidates(const std::string& library) {
  if (!library.empty()) return {library};
  std::vector<std::string> paths;
  if (const auto folder = own_folder(); !folder.empty()) {
    for (const auto& path : {folder / kFileName, folder.parent_path() / "lib" / kFileName}) {
      std::error_code error;
      if (std::filesystem::exists(path, error)) paths.push_back(path.string());
    }
  }
  paths.emplace_back(kFileName);
  return paths;
}

Status check(const gpuio_cuda_table* table, const std::string& path) {
  const auto refuse = [&](const std::string& what) {
    return Status(Code::unsupported, "the CUDA device is of another build than this library: " + what +
                                         "; install both from the same build")
        .with("library", path);
  };
  if (table == nullptr) return refuse("it has no table");
  if (table->size != sizeof(gpuio_cuda_table)) {
    return refuse("its table has " + std::to_string(table->size) + " bytes instead of " +
                  std::to_string(sizeof(gpuio_cuda_table)));
  }
  if (std::string_view(table->build_id) != GPUIO_CUDA_BUILD_ID) {
    return refuse("its build is " + std::string(table->build_id) + " instead of " GPUIO_CUDA_BUILD_ID);
  }
  if (table->layout_hash != spi::kLayoutHash) {
    return refuse("its kernels' arguments are laid out differently (hash " + std::to_string(table->layout_hash) +
                  " instead of " + std::to_string(spi::kLayoutHash) + ")");
  }
  return {};
}

std::string last_error() {
  const char* text = dlerror();
  return text != nullptr ? text : "no reason given";
}

}  // namespace

Result<const gpuio_cuda_table*> load_table(const LoadOptions& options) {
  // Stays loaded: the CUDA runtime would load it anyway.
  if (dlopen(options.driver_library.c_str(), RTLD_LAZY | RTLD_LOCAL) == nullptr) {
    return Status(Code::unsupported, "no " + options.driver_library +
                                         ": install the NVIDIA driver to use CUDA devices (" + last_error() + ")");
  }
  void* library = nullptr;
  std::string loaded_from;
  std::string reasons;
  for (const std::string& path : candidates(options.library)) {
    library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    loaded_from = path;
    if (library != nullptr) break;
    reasons += (reasons.empty() ? "" : "; ") + last_error();
  }
  if (library == nullptr) {
    return Status(Code::unsupported, std::string("the CUDA device can't be loaded; put ") + kFileName +
                                         " beside the library or name it with device.cuda_library (" + reasons + ")");
  }
  const auto get_table = reinterpret_cast<decltype(&gpuio_cuda_get_table)>(dlsym(library, "gpuio_cuda_get_table"));
  const gpuio_cuda_table* table = nullptr;
  Status status = Status(Code::unsupported, "not a CUDA device of this library: gpuio_cuda_get_table is missing")
                      .with("library", loaded_from);
  if (get_table != nullptr) {
    table = get_table();
    status = check(table, loaded_from);
  }
  if (!status.ok()) {
    dlclose(library);
    return status;
  }
  return table;
}

}  // namespace gpuio::cuda
