// SPDX-License-Identifier: Apache-2.0
#include "mem_rows.h"

#include "mem_rows.cuh"

namespace {

template <class Unit>
void launch(const RowMove& move, unsigned blocks, unsigned threads, cudaStream_t stream) {
  if (move.scatter) {
    scatter<Unit><<<blocks, threads, 0, stream>>>(move.table, move.ids, move.count, move.row_bytes, move.packed);
  } else {
    gather<Unit><<<blocks, threads, 0, stream>>>(move.table, move.ids, move.count, move.row_bytes, move.packed);
  }
}

}  // namespace

cudaError_t launch_rows(const RowMove& move, unsigned blocks, unsigned threads, cudaStream_t stream) {
  if (move.row_bytes % sizeof(uint4) == 0) {
    launch<uint4>(move, blocks, threads, stream);
  } else {
    launch<uint2>(move, blocks, threads, stream);
  }
  return cudaGetLastError();
}
