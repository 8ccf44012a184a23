#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Other projects' loaders as a peer: reads a line a sample from standard input, answers with a line of JSON.

  peers.py FILE                                        a safetensors file
  kvikio_read THREADS TASK_BYTES                       KvikIO reads it into GPU memory; 0 0: as shipped
  kvikio_write THREADS TASK_BYTES PATH BYTES           KvikIO writes GPU memory to a new file
  kvikio_random THREADS                                KvikIO reads 10,000 random 4 KiB pieces of it, as futures
  instanttensor                                        InstantTensor loads all its tensors
  safetensors                                          safetensors' own loader does

Needs torch and cupy, and kvikio, instanttensor and safetensors for what is named after them. What the packages print
goes to standard error.
"""

import os
import random
import sys
import time

from peer_process import cpu_seconds, serve

READS, READ_BYTES = 10_000, 4096


class Peers:
    def __init__(self, path):
        import torch

        self.torch = torch
        self.path = path
        self.bytes = os.path.getsize(path)
        self.device = torch.device("cuda:0")
        self._array = None

    def array(self):
        """GPU memory as large as the file, for those who read into what the caller has."""
        if self._array is None:
            import cupy

            self._array = cupy.from_dlpack(self.torch.empty(self.bytes, dtype=self.torch.uint8, device=self.device))
        return self._array

    def give_back_array(self):
        """For those who allocate themselves: the memory may not do for both."""
        self._array = None
        self.torch.cuda.empty_cache()

    def timed(self, work, size_bytes, operations):
        """Times `work` until the GPU has done all of it. What it returns is freed after the clock has stopped."""
        self.torch.cuda.synchronize()
        cpu, start = cpu_seconds(), time.perf_counter()
        kept = work()
        self.torch.cuda.synchronize()
        seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
        del kept
        return {"seconds": seconds, "cpu_seconds": cpu, "bytes": size_bytes, "operations": operations}

    def _kvikio(self, threads, task_bytes):
        import kvikio
        import kvikio.defaults

        options = {}
        if threads:
            options["num_threads"] = threads
        if task_bytes:
            options |= {"task_size": task_bytes, "bounce_buffer_size": max(task_bytes, 16 << 20)}
        return kvikio, kvikio.defaults.set(options)

    def kvikio_read(self, threads, task_bytes):
        kvikio, options = self._kvikio(int(threads), int(task_bytes))
        array = self.array()

        def work():
            with kvikio.CuFile(self.path, "r") as file:
                file.read(array)

        with options:
            return self.timed(work, self.bytes, 1)

    def kvikio_write(self, threads, task_bytes, path, size_bytes):
        kvikio, options = self._kvikio(int(threads), int(task_bytes))
        array = self.array()[: int(size_bytes)]
        if os.path.exists(path):
            os.unlink(path)

        def work():
            with kvikio.CuFile(path, "w") as file:
                file.write(array)

        with options:
            return self.timed(work, int(size_bytes), 1)

    def kvikio_random(self, threads):
        kvikio, options = self._kvikio(int(threads), 0)
        array, numbers = self.array(), random.Random(1)
        offsets = [numbers.randrange(self.bytes // READ_BYTES) * READ_BYTES for _ in range(READS)]
        views = [array[i * READ_BYTES : (i + 1) * READ_BYTES] for i in range(READS)]

        def work():
            with kvikio.CuFile(self.path, "r") as file:
                futures = [file.pread(view, READ_BYTES, offset) for view, offset in zip(views, offsets)]
                for future in futures:
                    future.get()

        with options:
            return self.timed(work, 0, READS)

    def instanttensor(self):
        import instanttensor

        self.give_back_array()

        def work():
            with instanttensor.safe_open(self.path, framework="pt", device=0) as file:
                return dict(file.tensors())

        return self.timed(work, self.bytes, 1)

    def safetensors(self):
        from safetensors.torch import load_file

        self.give_back_array()
        return self.timed(lambda: load_file(self.path, device="cuda:0"), self.bytes, 1)


class Requests:
    def __init__(self):
        self._peers = None

    def answer(self, name, *words):
        self._peers = self._peers or Peers(sys.argv[1])
        return getattr(self._peers, name)(*words)


serve(Requests().answer)
