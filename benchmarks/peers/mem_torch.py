#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The minimal gather over a pinned torch tensor as a peer: reads a line a sample, answers with a line of JSON.

  mem_torch.py TABLE_BYTES            the size of the tensor
  gather ROW_BYTES COUNT LAUNCHES     COUNT random rows of it into GPU memory, LAUNCHES times

Needs torch, and cupy to compile and launch peers/mem_rows.cuh.
"""

import sys
import time
from pathlib import Path

from peer_process import cpu_seconds, serve

KERNELS = Path(__file__).with_name("mem_rows.cuh")
THREADS = 512


class Table:
    def __init__(self, size_bytes):
        import cupy
        import torch

        self.cupy, self.torch = cupy, torch
        self.table = torch.empty(size_bytes, dtype=torch.uint8, pin_memory=True)
        words = self.table.view(torch.int64)
        torch.arange(1, words.numel() + 1, out=words)
        words.mul_(0x1E3779B97F4A7C15)
        text = KERNELS.read_text(encoding="utf-8").replace("#pragma once", "")
        units = {16: "gather<uint4>", 8: "gather<uint2>"}
        module = cupy.RawModule(code=text, options=("-std=c++17",), name_expressions=tuple(units.values()))
        self.kernels = {unit: module.get_function(name) for unit, name in units.items()}
        self.blocks = 4 * torch.cuda.get_device_properties(0).multi_processor_count
        self.ids = {}

    def prepare(self, row_bytes, count):
        """Ids and room on the GPU, made once for each row size and verified then."""
        if row_bytes not in self.ids:
            rows = self.table.numel() // row_bytes
            ids = self.torch.randint(rows, (count,), dtype=self.torch.int64)
            packed = self.torch.empty((count, row_bytes), dtype=self.torch.uint8, device="cuda:0")
            self.ids = {row_bytes: (ids.to(self.torch.int32).cuda(), packed)}  # One at a time: they are large.
            self.launch(row_bytes, count)
            self.torch.cuda.synchronize()
            for i, row in enumerate(ids[:100].tolist()):
                expected = self.table[row * row_bytes : (row + 1) * row_bytes]
                if not self.torch.equal(packed[i].cpu(), expected):
                    raise RuntimeError("the gather moved wrong bytes")
        return self.ids[row_bytes]

    def launch(self, row_bytes, count):
        ids, packed = self.ids[row_bytes]
        kernel = self.kernels[16 if row_bytes % 16 == 0 else 8]
        pointer, unsigned = self.cupy.uint64, self.cupy.uint32
        arguments = (pointer(self.table.data_ptr()), pointer(ids.data_ptr()), pointer(count), unsigned(row_bytes),
                     pointer(packed.data_ptr()))
        kernel((self.blocks,), (THREADS,), arguments)

    def gather(self, row_bytes, count, launches):
        row_bytes, count, launches = int(row_bytes), int(count), int(launches)
        self.prepare(row_bytes, count)
        # Another process may have had the GPU: it is ours again when the clock starts.
        self.launch(row_bytes, min(count, 1000))
        self.torch.cuda.synchronize()
        cpu, start = cpu_seconds(), time.perf_counter()
        for _ in range(launches):
            self.launch(row_bytes, count)
        self.torch.cuda.synchronize()
        seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
        moved = count * launches
        return {"seconds": seconds, "cpu_seconds": cpu, "bytes": moved * row_bytes, "operations": moved}


class Requests:
    def __init__(self):
        self._table = None

    def answer(self, name, *words):
        if name != "gather":
            raise ValueError(f"unknown request: {name}")
        self._table = self._table or Table(int(sys.argv[1]))
        return self._table.gather(*words)


serve(Requests().answer)
