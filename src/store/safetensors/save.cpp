// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <utility>

#include "base/try.h"
#include "gpuio/safetensors.hpp"
#include "store/safetensors/encode.h"

namespace gpuio::safetensors {

Status save(const Context& context, std::string_view path, std::span<const SaveTensor> tensors,
            const std::map<std::string, std::string>& metadata) {
  std::vector<TensorInfo> infos;
  infos.reserve(tensors.size());
  for (const SaveTensor& tensor : tensors) {
    infos.push_back({tensor.name, tensor.dtype, tensor.shape, 0, {0, tensor.bytes.size()}});
  }
  GPUIO_ASSIGN(const store::Encoded encoded, store::encode_header(std::move(infos), metadata));

  GPUIO_ASSIGN(const Device host, context.device("host"));
  GPUIO_ASSIGN(const Buffer head, host.allocate(encoded.head.size()));
  std::memcpy(head.data(), encoded.head.data(), encoded.head.size());
  GPUIO_ASSIGN(const Store file, context.open(path, {.mode = OpenMode::replace, .size_bytes = encoded.file_bytes}));
  std::vector<Transfer> transfers{{file, Layout::contiguous(0, head.size()), head, {}}};
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Extent& extent = encoded.tensors[i].extent;
    if (extent.length == 0) continue;
    transfers.push_back({file, Layout::contiguous(extent.offset, extent.length), tensors[i].bytes, {}});
  }
  GPUIO_ASSIGN(const Request request, context.write(transfers));
  GPUIO_TRY(request.wait());
  return file.commit();
}

}  // namespace gpuio::safetensors
