#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs all that needs a GPU in about eleven minutes, here or on a machine that has nothing but a driver, g++ and Python
# with torch and cupy. What fails is told, and the rest goes on.
#
#   benchmarks/gpu.sh OUT [PROGRAMS [MEASUREMENT...]]
#
# OUT gets samples.jsonl, for `benchmarks/record` where the results are kept, and log.txt. PROGRAMS is the folder of
# gpuio_bench, gpu_ways and gpu_mem_ways (default: build/portable/bin; libgpuio_cuda.so in ../lib beside it). The
# measurements are all, or those named: `load` (files; they need a disk and the peers' wheels), `mem` (memory; four
# minutes, 100 GiB of RAM), or single ones. Set PYTHONPATH to where the wheels of KvikIO and InstantTensor are,
# GPUIO_COMMIT to what they were built of, and GPUIO_BENCH_DISK for test files on a real file system.
set -uo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { sed -n '6s/^# *//p' "$0"; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
programs=$(cd "${2:-build/portable/bin}" && pwd) || exit 2
load="load.hot load.random_4k load.again load.safetensors store.hot load.pagecache load.cold"
mem="mem.gpu.register mem.gpu.copy mem.gpu.rows mem.gpu.migration mem.gpu.atomic"
wanted=" ${*:3} "
[ $# -ge 3 ] || wanted=" load mem "
wanted=${wanted/ load / $load }
wanted=${wanted/ mem / $mem }
disk=${GPUIO_BENCH_DISK:-/var/tmp/gpuio_bench}
tmpfs=/dev/shm/gpuio_bench
work=$(mktemp -d)
trap 'rm -rf "$work" "$tmpfs" "$disk"' EXIT

# build_kvikio_peer: peers/kvikio_random, against the wheels' headers and libraries. Without it the peer is Python's.
build_kvikio_peer() {
  local kvikio logger cufile cuda
  kvikio=$(python3 -c 'import libkvikio; print(libkvikio.__path__[0])') || return 1
  logger=$(python3 -c 'import rapids_logger; print(rapids_logger.__path__[0])') || return 1
  # KvikIO's headers need cuFile's, which come with the toolkit or with the wheel that torch depends on.
  cuda=$(dirname "$(dirname "$(readlink -f "$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)")")")
  cufile=$(python3 -c 'import nvidia, glob; print(*glob.glob(nvidia.__path__[0] + "/*/include/cufile.h"))')
  cufile=$(dirname "${cufile%% *}")
  g++ -std=c++20 -O2 -w -DKVIKIO_CUFILE_FOUND -DKVIKIO_CUFILE_VERSION_API_FOUND \
    benchmarks/peers/kvikio_random.cpp -o "$work/kvikio_random" \
    -I"$kvikio/include" -I"$logger/include" -isystem "$cuda/include" -isystem "$cufile" \
    -L"$kvikio/lib64" -L"$logger/lib64" -L"$cuda/lib64" -lkvikio -lrapids_logger -lcudart -ldl -pthread \
    -Wl,--disable-new-dtags,-rpath,"$kvikio/lib64:$logger/lib64:$cuda/lib64"
}

{
  case $wanted in
    *load.random_4k*)
      build_kvikio_peer || echo "KvikIO's C++ interface could not be built against; its Python one takes its place" ;;
  esac
  # The peers that are compiled stand in one folder.
  ln -s "$programs/gpu_ways" "$programs/gpu_mem_ways" "$work"
  # One after another, each under a limit, so that one that hangs does not take the others along.
  for measurement in $wanted; do
    limit_s=150
    [ "$measurement" != mem.gpu.rows ] || limit_s=240
    timeout --kill-after=5 "$limit_s" benchmarks/run "$measurement" --program "$programs/gpuio_bench" \
      --raw "$out/samples.jsonl" -- --programs "$work" --disk "$disk" --tmpfs "$tmpfs" ||
      echo "$measurement: no result (status $?)"
    # The model in tmpfs has done its part once what needs the disk begins.
    [ "$measurement" != store.hot ] || rm -rf "$tmpfs"
  done
} > >(tee "$out/log.txt") 2>&1
wait
