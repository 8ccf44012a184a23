// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

/// The one C interface between the library and `libgpuio_cuda.so`, which is loaded at run time and may be another
/// build's. The loader refuses it unless size, build id and layout hash are its own. Any change here changes the build
/// id.
///
/// Functions return 0 or CUDA's error code. Streams, events and graphs are CUDA's handles. None keeps state of the
/// core's; none changes the calling thread's current device, and none disturbs a stream capture of another library.
#ifdef __cplusplus
extern "C" {
#endif

/// What kind of failure a code is, so that the library needs none of CUDA's numbers.
enum gpuio_cuda_failure {
  GPUIO_CUDA_OTHER,
  GPUIO_CUDA_INVALID,
  GPUIO_CUDA_OUT_OF_MEMORY,
  GPUIO_CUDA_UNSUPPORTED,
  GPUIO_CUDA_ALREADY_REGISTERED,
  GPUIO_CUDA_NOT_REGISTERED,
  GPUIO_CUDA_DEVICE_LOST,
  GPUIO_CUDA_NO_DRIVER,
  GPUIO_CUDA_NO_DEVICE
};

struct gpuio_cuda_info {
  char model[256];
  char bus_id[32];
  uint64_t memory_bytes;
  int32_t host_numa_node; /* as CUDA tells, -1 unknown */
  int32_t driver_version; /* 13000 is 13.0 */
  uint8_t can_register_read_only;
  uint8_t can_map_managed; /* the device and host code may use managed memory at the same time */
  uint8_t can_wait_word;
  uint8_t can_export_dmabuf;
  uint8_t has_trace_ranges;
  uint8_t has_host_atomics; /* the device's atomics on host memory are the host's too */
};

struct gpuio_cuda_device; /* the .so's */

struct gpuio_cuda_table {
  uint64_t size;
  const char* build_id;
  uint64_t layout_hash; /* spi::kLayoutHash */

  const char* (*error_name)(int code);
  const char* (*error_text)(int code);
  enum gpuio_cuda_failure (*failure)(int code);

  int (*device_count)(int* count);
  /* Makes the device's primary context current where it must be, and loads every kernel. */
  int (*open)(int ordinal, struct gpuio_cuda_device** device);
  void (*close)(struct gpuio_cuda_device* device);
  int (*info)(struct gpuio_cuda_device* device, struct gpuio_cuda_info* info);
  int (*memory_use)(struct gpuio_cuda_device* device, uint64_t* free_bytes, uint64_t* total_bytes);
  /* Lets each of the two read and write the other's memory; nothing happens where the hardware can't. */
  int (*connect)(struct gpuio_cuda_device* device, int peer_ordinal);

  int (*allocate)(struct gpuio_cuda_device* device, size_t bytes, void** memory);
  /* Managed memory that stays on the host and is mapped by the device. numa_node -1: the nearest. */
  int (*allocate_mapped)(struct gpuio_cuda_device* device, size_t bytes, int numa_node, void** memory);
  int (*free)(struct gpuio_cuda_device* device, void* memory); /* of either */
  int (*register_host)(struct gpuio_cuda_device* device, void* base, size_t bytes, int read_only);
  int (*unregister_host)(struct gpuio_cuda_device* device, void* base);
  int (*export_dmabuf)(struct gpuio_cuda_device* device, void* base, size_t bytes, int* fd);

  int (*create_stream)(struct gpuio_cuda_device* device, void** stream);
  /* Of the highest priority: such streams have hardware queues of their own. */
  int (*create_urgent_stream)(struct gpuio_cuda_device* device, void** stream);
  int (*destroy_stream)(struct gpuio_cuda_device* device, void* stream);
  int (*synchronize)(struct gpuio_cuda_device* device, void* stream);
  int (*capturing)(struct gpuio_cuda_device* device, void* stream, int* answer);
  void* (*default_stream)(void); /* what a null cudaStream_t means, as a handle that is not null */

  int (*create_event)(struct gpuio_cuda_device* device, void** event);
  int (*destroy_event)(struct gpuio_cuda_device* device, void* event);
  int (*record)(struct gpuio_cuda_device* device, void* event, void* stream);
  int (*wait)(struct gpuio_cuda_device* device, void* stream, void* event);
  int (*finished)(struct gpuio_cuda_device* device, void* event, int* answer);
  int (*synchronize_event)(struct gpuio_cuda_device* device, void* event);

  int (*begin_capture)(struct gpuio_cuda_device* device, void* stream);
  int (*end_capture)(struct gpuio_cuda_device* device, void* stream, void** graph);
  int (*launch_graph)(struct gpuio_cuda_device* device, void* graph, void* stream);
  int (*destroy_graph)(struct gpuio_cuda_device* device, void* graph);

  int (*copy)(struct gpuio_cuda_device* device, void* stream, void** destinations, const void** sources,
              const size_t* bytes, size_t count);
  int (*fill)(struct gpuio_cuda_device* device, void* stream, void* memory, int value, size_t bytes);
  int (*wait_word)(struct gpuio_cuda_device* device, void* stream, const uint32_t* word, uint32_t value);
  int (*write_word)(struct gpuio_cuda_device* device, void* stream, uint32_t* word, uint32_t value);
  /* kernel: a spi::KernelId; arguments: its argument struct, copied before return. */
  int (*launch)(struct gpuio_cuda_device* device, void* stream, uint32_t kernel, const void* arguments);
};

/// The .so's only exported symbol.
const struct gpuio_cuda_table* gpuio_cuda_get_table(void);

#ifdef __cplusplus
}
#endif
