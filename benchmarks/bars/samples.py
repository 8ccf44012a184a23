# SPDX-License-Identifier: Apache-2.0
"""Raw samples as gpuio_bench prints them: read, kept, and turned into figures.

A file holds runs one after another: a line that describes the run ({"run": {...}}), then its samples, a line each.
"""

import json
from collections import defaultdict

BYTES_PER_GB = 1e9


def figures(sample):
    """A sample's figures by name; those of a timed one follow from seconds, bytes and operations."""
    if "seconds" not in sample:
        return {k: v for k, v in sample.items() if k not in ("series", "pair")}
    found = {}
    seconds, gigabytes, operations = sample["seconds"], sample["bytes"] / BYTES_PER_GB, sample["operations"]
    if gigabytes:
        found["gb_per_s"] = gigabytes / seconds
        found["cpu_s_per_gb"] = sample["cpu_seconds"] / gigabytes
    if operations:
        found["operations_per_s"] = operations / seconds
        found["us_per_operation"] = seconds / operations * 1e6
        found["ns_per_operation"] = seconds / operations * 1e9
    return found


class Run:
    """One run of one measurement: its description and, by series and figure, the values by pair."""

    def __init__(self, description):
        self.description = description
        self.lines = []
        self.series = defaultdict(lambda: defaultdict(dict))

    def add(self, line):
        self.lines.append(line)
        sample = json.loads(line)
        if sample.get("trial"):
            return
        for name, value in figures(sample).items():
            self.series[sample["series"]][name][sample["pair"]] = value

    def values(self, series, figure):
        """All values of one figure, in the order of the pairs; lists are strung together."""
        values = []
        for _, value in sorted(self.series[series][figure].items()):
            values.extend(value if isinstance(value, list) else [value])
        return values

    def text(self):
        return "\n".join([json.dumps({"run": self.description}), *self.lines]) + "\n"


def read_runs(path):
    """Every run in a file, oldest first."""
    runs = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            try:
                if line.startswith('{"run"'):
                    runs.append(Run(json.loads(line)["run"]))
                elif line:
                    runs[-1].add(line)
            except (ValueError, KeyError, IndexError) as error:
                raise SystemExit(f"{path}:{number}: no sample: {error!r}") from error
    return runs
