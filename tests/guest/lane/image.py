# SPDX-License-Identifier: Apache-2.0
"""The guest's image: where it is kept, whether it is that of this tree, and how it is made."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

RECIPE = Path(__file__).resolve().parents[1] / "image"
CANNOT = 77
KEPT = 3


class Missing(Exception):
    """There is no image, or it can't be used here; says why and what to do."""


class Image:
    """An image that is there."""

    def __init__(self, folder):
        self.folder = folder
        self.facts = dict(line.split("=", 1) for line in folder.joinpath("facts").read_text().splitlines())

    def qemu(self):
        """How its QEMU is called: unpacked, not installed, so it is told where its files are."""
        usr = self.folder / "qemu" / "usr"
        return [str(usr / "bin/qemu-system-x86_64"), "-L", str(usr / "share/qemu"), "-L", "/usr/share/seabios",
                "-L", "/usr/share/qemu"]


def cache():
    return Path(os.environ.get("XDG_CACHE_HOME") or "/var/tmp", "gpuio-guest")


def place():
    """The folder of this recipe's image: another recipe has another."""
    text = hashlib.sha256()
    for path in sorted(RECIPE.rglob("*")):
        if path.is_file():
            text.update(path.relative_to(RECIPE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return cache() / text.hexdigest()[:16]


def find():
    """The image, if it is there and its QEMU starts."""
    folder = place()
    if not folder.joinpath("facts").exists():
        raise Missing("the guest's image is not built here (tools/guest_test --image builds it)")
    image = Image(folder)
    if subprocess.run([*image.qemu(), "--version"], capture_output=True, check=False).returncode != 0:
        raise Missing("the image's QEMU does not start: it needs the libraries of qemu-system-x86 (tools/setup --full)")
    if not shutil.which("setpriv"):
        raise Missing("setpriv is not installed (package util-linux)")
    return image


def build():
    """Makes the image if it is missing; Missing where this machine can't."""
    folder = place()
    if not folder.joinpath("facts").exists():
        print(f"making the guest's image in {folder}", flush=True)
        run = subprocess.run([RECIPE / "build", folder], check=False, text=True, stdout=subprocess.PIPE)
        lines = run.stdout.strip().splitlines()
        if run.returncode == CANNOT:
            raise Missing(lines[-1])
        if run.returncode != 0:
            raise SystemExit("\n".join([*lines, "error: the guest's image could not be built"]))
        drop_old()
    return find()


def drop_old():
    """Images of recipes that were not the last few: another branch may have another recipe."""
    for old in sorted(cache().iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old)
