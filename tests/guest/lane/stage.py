# SPDX-License-Identifier: Apache-2.0
"""The folder of programs that a guest sees: stripped, with the shared libraries that they need."""

import re
import shutil
import subprocess
from pathlib import Path

COMMANDS = Path(__file__).resolve().parents[1] / "commands"

# The guest's own, of the same distribution.
OF_THE_GUEST = re.compile(r"^(ld-linux.*|lib(c|m|dl|rt|pthread|resolv))\.so")
FROM_LDD = re.compile(r"^\s*(\S+) => (/\S+) \(")


class NotBuilt(Exception):
    """A program that is to run in a guest is not there."""


def stage(names, built, folder):
    """Copies the programs `names` of the build tree `built` into `folder`, what they link to into its `lib`, and the
    commands of tests/guest/commands."""
    libraries = folder / "lib"
    libraries.mkdir(parents=True, exist_ok=True)
    for command in COMMANDS.iterdir():
        shutil.copy(command, folder / command.name)
    for name in names:
        source = find(name, built)
        # Through the emulated file system, each MiB of debug information would cost 15 ms.
        subprocess.run(["strip", "--strip-debug", "-o", folder / name, source], check=True)
        for library, path in linked(source):
            if not OF_THE_GUEST.match(library) and not (libraries / library).exists():
                shutil.copy(path, libraries / library)


def find(name, built):
    for candidate in (built / "bin" / name, built / "bin" / "tests" / name):
        if candidate.is_file():
            return candidate
    raise NotBuilt(f"{name} is not built in {built} (ninja -C {built} guest_tests)")


def linked(program):
    """(name, path) of each shared library."""
    output = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return [match.groups() for line in output.splitlines() if (match := FROM_LDD.match(line))]
