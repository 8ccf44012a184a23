// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "core/spi/kernels.h"
#include "device/cuda/table.h"

// Stands in for libgpuio_cuda.so in tests: wrong in the one way that its build names, or a device that has one GPU
// whose every allocation finds its memory full and whose every stream fails with a code that nobody knows.
namespace {

constexpr int kFull = 2;
constexpr int kStrange = 9999;

const char* error_name(int code) { return code == kFull ? "fakeErrorFull" : "fakeErrorStrange"; }
const char* error_text(int code) { return code == kFull ? "the fake is full" : "the fake is strange"; }
gpuio_cuda_failure failure(int code) { return code == kFull ? GPUIO_CUDA_OUT_OF_MEMORY : GPUIO_CUDA_OTHER; }

int device_count(int* count) { return *count = 1, 0; }
int open(int, gpuio_cuda_device**) { return 0; }
void close(gpuio_cuda_device*) {}
int info(gpuio_cuda_device*, gpuio_cuda_info* info) {
  *info = {"Fake GPU", "0000:FF:00.0", 1000, -1, 13000, 0, 1, 0, 0, 0, 0};
  return 0;
}
int memory_use(gpuio_cuda_device*, uint64_t* free_bytes, uint64_t* total_bytes) {
  *free_bytes = 500;
  *total_bytes = 1000;
  return 0;
}
int allocate(gpuio_cuda_device*, size_t, void**) { return kFull; }
int allocate_mapped(gpuio_cuda_device*, size_t, int, void** memory) {
  static char bytes[500];
  *memory = bytes;
  return 0;
}
int free_memory(gpuio_cuda_device*, void*) { return 0; }

// Of a fake in the same process: a handle is an address of `exported`, which starts 16 bytes before what is asked.
constexpr uint64_t kOffset = 16;
int exported_open = 0;
int export_handle(gpuio_cuda_device*, void* memory, void* handle, uint64_t* offset) {
  const void* const base = static_cast<char*>(memory) - kOffset;
  std::memcpy(handle, static_cast<const void*>(&base), sizeof base);
  *offset = kOffset;
  return 0;
}
int import_handle(gpuio_cuda_device*, const void* handle, void** base) {
  std::memcpy(static_cast<void*>(base), handle, sizeof *base);
  if (*base == nullptr) return kStrange;
  ++exported_open;
  return 0;
}
int close_imported(gpuio_cuda_device*, void* base) { return base != nullptr && exported_open-- > 0 ? 0 : kStrange; }

int create_stream(gpuio_cuda_device*, void**) { return kStrange; }

gpuio_cuda_table make_table() {
  gpuio_cuda_table table{};
  table.size = sizeof(table);
  table.build_id = GPUIO_CUDA_BUILD_ID;
  table.layout_hash = gpuio::spi::kLayoutHash;
#if defined(GPUIO_FAKE_WRONG_SIZE)
  table.size -= 8;
#elif defined(GPUIO_FAKE_WRONG_BUILD_ID)
  table.build_id = "0.0.1-of-yesterday";
#elif defined(GPUIO_FAKE_WRONG_LAYOUT_HASH)
  table.layout_hash ^= 1;
#endif
  table.error_name = error_name;
  table.error_text = error_text;
  table.failure = failure;
  table.device_count = device_count;
  table.open = open;
  table.close = close;
  table.info = info;
  table.memory_use = memory_use;
  table.allocate = allocate;
  table.allocate_mapped = allocate_mapped;
  table.free = free_memory;
  table.export_handle = export_handle;
  table.import_handle = import_handle;
  table.close_imported = close_imported;
  table.create_stream = create_stream;
  return table;
}

}  // namespace

#if defined(GPUIO_FAKE_WRONG_SYMBOL)
#define gpuio_cuda_get_table gpuio_cuda_get_another_table
#endif

extern "C" const gpuio_cuda_table* gpuio_cuda_get_table(void) {
  static const gpuio_cuda_table table = make_table();
  return &table;
}
