// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "base/units.h"

namespace gpuio::core {

enum class SettingType : std::uint8_t { size, duration, count, integer, boolean, choice, text };

/// What a setting of a type is held as.
template <SettingType kType>
using SettingValue =
    std::conditional_t<kType == SettingType::boolean, bool,
                       std::conditional_t<kType == SettingType::integer, std::int64_t,
                                          std::conditional_t<kType == SettingType::choice || kType == SettingType::text,
                                                             std::string, std::uint64_t>>>;

// The one table of settings. A row makes the key `section.name`, the variable GPUIO_SECTION_NAME, the member
// `section_name` of SettingsValues and a row of docs/settings.md:
//
//   X(type, section, name, default, limits, when, description)
//
// Limits are those of settings_table.cpp: anything(), between(least, most), one_of(names...), accepted_by(check).
// `live` settings may be changed while a Context runs (which must then act on it); `fixed` ones are read when it is
// made.
//
// clang-format off
#define GPUIO_SETTINGS(X) \
  X(text, core, cost_model, "", anything(), fixed, \
    "File of measured costs that `gpuio calibrate` writes and the planner reads. Empty: " \
    "`$XDG_CACHE_HOME/gpuio/cost_model.json` (`~/.cache` if unset); `off`: built-in defaults. One that is missing, " \
    "damaged or another machine's leaves the defaults in force; `gpuio doctor` says which it is.") \
  X(size, memory, pinned_budget_bytes, 256 * base::kMiB, between(0, 1 * base::kPiB), fixed, \
    "Most host memory that slabs and windows of a context may pin, all devices together. Full means waiting, not " \
    "growth. Up to 8 MiB of it are each accelerator's for unassisted Requests, a quarter of it at most.") \
  X(size, memory, registered_budget_bytes, 0, between(0, 1 * base::kPiB), fixed, \
    "Most bytes of files' own pages that stay registered with the device after a load, so that loading the same " \
    "file again costs no CPU. They count besides the pinned budget. 0: none stay.") \
  X(size, memory, slab_bytes, 8 * base::kMiB, between(64 * base::kKiB, 1 * base::kGiB), fixed, \
    "Size of one slab, the unit in which bytes are staged between a store and a device.") \
  X(boolean, memory, huge_pages, true, anything(), fixed, \
    "Slabs of huge pages where the system has them; without them, ordinary pages.") \
  X(integer, memory, numa_node, -1, between(-1, 1023), fixed, \
    "NUMA node of slabs and threads; -1: the one nearest to the device.") \
  X(count, scheduler, workers, 0, between(0, 1024), fixed, \
    "Threads of the pool that reads resident bytes and copies; 0: as many as the machine has use for.") \
  X(count, scheduler, queue_depth_max, 1U << 20U, between(1, 1U << 26U), fixed, \
    "Requests that may wait in a context; one more fails with `would_block`.") \
  X(duration, scheduler, bulk_latency_target_ns, 2 * base::kMillisecond, \
    between(10 * base::kMicrosecond, 10 * base::kSecond), fixed, \
    "How long an urgent read may have to wait behind bulk traffic in a device's queue: bulk in flight is bounded " \
    "so that it takes no longer, by what is measured.") \
  X(size, scheduler, resident_bytes_max, 0, between(0, 1 * base::kPiB), fixed, \
    "Most bytes of resident data and copies under way at once. Few keep the slabs in the processor's caches. 0: half " \
    "a slab for every worker, at least four slabs.") \
  X(size, scheduler, bandwidth_bulk_bytes_per_second, 0, anything(), live, \
    "Most bytes a second for Requests of priority `bulk`; 0: no limit.") \
  X(size, scheduler, bandwidth_background_bytes_per_second, 0, anything(), live, \
    "Most bytes a second for Requests of priority `background`; 0: no limit.") \
  X(size, scheduler, bandwidth_cxl_bytes_per_second, 0, anything(), live, \
    "Most bytes a second for Requests that read or write CXL memory, all priorities together; `high` ones count " \
    "and are never held back. 0: no limit.") \
  X(size, scheduler, inline_bytes_max, 64 * base::kKiB, between(0, 64 * base::kMiB), fixed, \
    "Reads of resident bytes up to this size run on the caller's thread while nothing else is queued; 0: none do. " \
    "Unless it is set, a cost model's value is taken.") \
  X(size, scheduler, coalesce_gap_bytes, 16 * base::kKiB, between(0, 64 * base::kMiB), fixed, \
    "Neighbouring extents with gaps up to this size are read as one; what lies in the gap is read and dropped.") \
  X(count, scheduler, retry_max, 4, between(0, 1000), fixed, \
    "How often a part that failed with a retryable error is tried again before the failure is reported.") \
  X(duration, scheduler, retry_backoff_ns, 1 * base::kMillisecond, between(0, 1 * base::kMinute), fixed, \
    "Wait before the first retry; it doubles with each, with jitter.") \
  X(choice, local, engine, "auto", one_of("auto", "uring", "threads"), fixed, \
    "How files are read and written: io_uring, or a pool of threads where it is forbidden. `auto` tries.") \
  X(count, local, queue_depth_max, 64, between(1, 32768), fixed, \
    "Reads and writes under way at once in one engine.") \
  X(choice, local, direct, "auto", one_of("auto", "always", "never"), fixed, \
    "O_DIRECT: `auto` takes it for large runs that are not in the page cache, where the file system can.") \
  X(size, local, direct_bytes_min, 64 * base::kKiB, between(0, 1 * base::kGiB), fixed, \
    "Shortest run for which `local.direct = \"auto\"` leaves the page cache aside.") \
  X(size, local, read_bytes_max, 256 * base::kKiB, between(4 * base::kKiB, 1 * base::kGiB), fixed, \
    "Longest single read or write given to the system; longer runs are cut.") \
  X(choice, local, hot_path, "auto", one_of("auto", "copy", "register", "kernel"), fixed, \
    "Bytes in the page cache or tmpfs on their way to a device: copied through slabs by threads, the file's own " \
    "pages registered, or read by a kernel. `auto` measures.") \
  X(count, local, fill_threads, 0, between(0, 1024), fixed, \
    "Threads that fill slabs from the page cache together; 0: as many as pay by measurement.") \
  X(choice, device, cuda, "auto", one_of("auto", "off"), fixed, \
    "`auto` loads the CUDA device when it is first asked for; `off` pretends there is none.") \
  X(text, device, cuda_library, "", anything(), fixed, \
    "Path of the CUDA device's shared object; empty: looked for beside the library.") \
  X(count, device, host_count, 1, between(1, 256), fixed, \
    "How many devices the host poses as (`host`, `host:1`, ...), for tests of programs for many devices.") \
  X(text, log, level, "warn", accepted_by(base::Logger::check_levels), live, \
    "Least level that is logged (trace, debug, info, warn, error, off), then levels of components: " \
    "`info,local=debug`. One for the process: the last one set holds.") \
  X(count, log, rate_per_second, 10, between(0, 1'000'000), live, \
    "Lines a second from one place in the code; what is left out is counted and told. 0: no limit.") \
  X(duration, request, progress_interval_ns, 100 * base::kMillisecond, \
    between(1 * base::kMillisecond, 1 * base::kHour), fixed, \
    "Longest time between two progress reports of a Request.") \
  X(duration, request, timeout_ns, 0, anything(), fixed, \
    "A Request without a deadline of its own reports `deadline_exceeded` after this time; 0: never.")
// clang-format on

/// The value of every setting, for fast access; made with the defaults.
struct SettingsValues {
#define GPUIO_SETTING_MEMBER(type, section, name, default_value, limits, when, description) \
  SettingValue<SettingType::type> section##_##name = default_value;
  GPUIO_SETTINGS(GPUIO_SETTING_MEMBER)
#undef GPUIO_SETTING_MEMBER
};

}  // namespace gpuio::core
