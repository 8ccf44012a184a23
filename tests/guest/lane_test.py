# SPDX-License-Identifier: Apache-2.0
"""The guest lane's own parts, without a guest: what is counted, what QEMU is told, what is said where none can run."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lane import lab, lanes, topology
from lane.machine import MIB, Backing, Machine

GUEST_TEST = Path(__file__).resolve().parents[2] / "tools" / "guest_test"
OUTPUT = """\
[ RUN      ] Nodes.Pass
[       OK ] Nodes.Pass (12 ms)
[ RUN      ] Nodes.Fail
placement_test.cpp:7: Failure
[  FAILED  ] Nodes.Fail (3 ms)
[ RUN      ] Nodes.Fail/1
[  FAILED  ] Nodes.Fail/1, where GetParam() = 4 (3 ms)
[ RUN      ] Nodes.Skip
[  SKIPPED ] Nodes.Skip (0 ms)
fact: 512 pages moved
[  FAILED  ] 2 tests, listed below:
[  FAILED  ] Nodes.Fail
"""


def empty_lab():
    return lab.Lab("none", None, None, None, None)


class Counting(unittest.TestCase):
    def test_each_test_of_a_guest_counts_once(self):
        counting = empty_lab()
        counting.count(OUTPUT)
        self.assertEqual(counting.outcome.counts, (1, 2, 1))
        self.assertEqual(counting.outcome.facts, ["512 pages moved"])

    def test_a_check_that_does_not_hold_is_a_failure_with_its_reason(self):
        checking = empty_lab()
        checking.equal("nodes", [0], [0, 1])
        checking.equal("nodes", [0], [0])
        self.assertEqual(checking.outcome.counts, (1, 1, 0))
        self.assertIn("[0], not [0, 1]", checking.outcome.failures[0])


class Machines(unittest.TestCase):
    def test_the_far_node_has_no_processors_and_is_the_farthest(self):
        machine = Machine(nodes=3, far_node=True, processors=4)
        self.assertEqual([machine.processors_of(node) for node in range(3)], [[0, 2], [1, 3], []])
        self.assertLess(machine.distance(0, 1), machine.distance(0, 2))
        self.assertEqual(machine.distance(2, 0), machine.distance(0, 2))

    def test_a_cxl_device_comes_last_and_shares_its_file(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "memory")
            machine = Machine(cxl=Backing(file, 256))
            self.assertFalse(any("cxl-type3" in argument for argument in machine.arguments()))
            last = machine.devices_to_come_last()
            self.assertTrue(any(f"share=on,mem-path={file}" in argument for argument in last))
            self.assertEqual(file.stat().st_size, 256 * MIB)

    def test_memory_that_is_there_keeps_its_bytes(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "memory")
            Backing(file, 1).arguments("one")
            with open(file, "r+b") as memory:
                memory.write(b"kept")
            Backing(file, 1).arguments("one")
            self.assertEqual(file.read_bytes()[:4], b"kept")


class TopologyChecks(unittest.TestCase):
    def test_a_topology_that_lacks_a_node_is_noticed(self):
        machine = Machine(memory_mib=1024, nodes=2)
        node = {"id": 0, "cpus": [0], "total_bytes": 500 * MIB,
                "distances": [{"node": 0, "distance": 10}, {"node": 1, "distance": 21}],
                "access": {"read_latency_ns": 80, "read_bytes_per_second": 200 * MIB}}
        checking = empty_lab()
        topology.nodes_are_the_machines(checking, {"nodes": [node]}, machine)
        self.assertIn("topology: nodes", " ".join(checking.outcome.failures))


class Lanes(unittest.TestCase):
    def test_names_are_unique_and_each_is_a_word(self):
        names = [lane.name for lane in lanes.LANES]
        self.assertEqual(len(names), len(set(names)))
        self.assertTrue(all(name.isidentifier() for name in names))

    def test_without_an_image_all_is_skipped_and_the_reason_is_said(self):
        with tempfile.TemporaryDirectory() as cache:
            run = subprocess.run([GUEST_TEST], env={**os.environ, "XDG_CACHE_HOME": cache}, capture_output=True,
                                 text=True, check=False)
        self.assertEqual(run.returncode, 77)
        self.assertIn("skipped: the guest's image is not built here", run.stdout)
        self.assertEqual(run.stdout.splitlines()[-1], f"0 passed, 0 failed, {len(lanes.LANES)} skipped")


if __name__ == "__main__":
    unittest.main()
