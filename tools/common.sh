# SPDX-License-Identifier: Apache-2.0
# What the shell tools share. Source it; it moves to the repository's root.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' plain=$'\e[0m'
else
  bold='' plain=''
fi

started_s=$SECONDS

# say TEXT: a heading with the time since the start.
say() {
  local elapsed_s=$((SECONDS - started_s))
  printf '%s== %02d:%02d  %s%s\n' "$bold" $((elapsed_s / 60)) $((elapsed_s % 60)) "$*" "$plain"
}

# fail WHAT DO: says what is wrong and what to do, and ends.
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  if [ $# -gt 0 ]; then printf '  do:  %s\n' "$@" >&2; fi
  exit 1
}

# jobs_max: compilers to run at once; each may need 1.5 GiB.
jobs_max() {
  local cores memory_gib by_memory
  cores=$(nproc)
  memory_gib=$(awk '/^MemAvailable/ {printf "%d", $2 / 1048576}' /proc/meminfo)
  by_memory=$((memory_gib * 2 / 3))
  if [ "$by_memory" -lt 1 ]; then by_memory=1; fi
  echo $((cores < by_memory ? cores : by_memory))
}

# build PRESET [TARGET...]: configures and builds. The log is build/PRESET.log; its first error is shown if it fails.
build() {
  local preset=$1 log="build/$1.log"
  shift
  mkdir -p build
  if ! cmake --preset "$preset" >"$log" 2>&1; then
    grep -A20 'CMake Error' "$log" >&2 || tail -n 30 "$log" >&2
    printf "error: configuring '%s' failed; the whole log is %s\n  do:  run tools/setup, then try again\n" \
      "$preset" "$log" >&2
    return 1
  fi
  if [ -t 1 ]; then
    # On a terminal ninja rewrites one line of progress.
    ninja -C "build/$preset" -j "$(jobs_max)" "$@" && return
  else
    ninja -C "build/$preset" -j "$(jobs_max)" "$@" >>"$log" 2>&1 && return
    grep -m1 -A40 '^FAILED' "$log" >&2 || tail -n 40 "$log" >&2
  fi
  printf "error: building '%s' failed\n" "$preset" >&2
  return 1
}
