# SPDX-License-Identifier: Apache-2.0
"""What is noted of where and from what a result came."""

import os
import platform
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# What a run itself changes does not make the tree another.
NOT_COUNTED = [":!benchmarks/results", ":!docs/performance.md", ":!docs/figures/performance.svg"]


def _output(*command):
    try:
        return subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def commit():
    """The commit, with `-dirty` where the tree differs from it. GPUIO_COMMIT names that of programs built elsewhere."""
    named = os.environ.get("GPUIO_COMMIT", "")
    head = _output("git", "rev-parse", "--short=12", "HEAD")
    if named or not head:
        return named or "unknown"
    return head + ("-dirty" if _output("git", "status", "--porcelain", "--", ".", *NOT_COUNTED) else "")


def _processor():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def describe():
    """The machine in one line: processor, memory, kernel, and the GPU with its driver."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [_processor(), f"{os.cpu_count()} cores", f"{memory_gib:.0f} GiB", f"Linux {platform.release()}"]
    gpu = _output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader").splitlines()
    if gpu:
        name, driver = gpu[0].rsplit(",", 1)
        parts.append(f"{name.strip()}, driver {driver.strip()}")
    return "; ".join(parts)
