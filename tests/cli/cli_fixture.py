# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command line share: the program, a folder of files, a small safetensors writer."""

import json
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

GPUIO = os.environ.get("GPUIO_CLI", "gpuio")
REPOSITORY = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TIMEOUT_S = 60
MIB = 1 << 20


def environment(**changes):
    """The caller's environment without what would change the outcome, with `changes`; None removes a variable."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("GPUIO_") and k != "NO_COLOR"}
    env["GPUIO_CONFIG"] = ""
    for key, value in changes.items():
        if value is None:
            env.pop(key, None)
        else:
            env[key] = value
    return env


def run(*arguments, **changes):
    """Runs gpuio without a terminal."""
    return subprocess.run([GPUIO, *arguments], env=environment(**changes), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=TIMEOUT_S)


def safetensors_bytes(tensors):
    """`tensors`: {name: bytes}, each written as u8."""
    header, at = {}, 0
    for name, data in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(data)], "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(tensors.values())


class CliTest(unittest.TestCase):
    """A temporary folder and the checks that every test needs."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gpuio_cli_")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def write_random(self, name, size):
        return self.write(name, random.Random(name).randbytes(size))

    def unpack_tree(self, name):
        """The folder with the kernel's files of src/core/topology/fixtures/NAME.tree."""
        folder = self.path("tree-" + name)
        subprocess.run([os.path.join(REPOSITORY, "tools", "sysfs_tree"), "unpack",
                        os.path.join(REPOSITORY, "src/core/topology/fixtures", name + ".tree"), folder], check=True)
        return folder

    def run_ok(self, *arguments, **changes):
        result = run(*arguments, **changes)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def run_json(self, *arguments, code=0, **changes):
        result = run(*arguments, "--json", **changes)
        self.assertEqual(result.returncode, code, result.stderr)
        return json.loads(result.stdout)

    def assert_fails(self, result, code, *words):
        """Exit code, nothing on stdout, and an error on stderr that holds every one of `words`."""
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        self.assertEqual(result.stdout, "")
        for word in words:
            self.assertIn(word, result.stderr)
