# SPDX-License-Identifier: Apache-2.0
"""One guest: booted, told a command, waited for or killed."""

import json
import os
import shlex
import subprocess
import tempfile
import time
from pathlib import Path

from .machine import KERNEL_WORDS

# A boot takes ten seconds of a processor. On a machine that is busy with other work it may take long until QEMU has had
# them, so a boot is given up early only when it has had ten times as much.
BOOT_LIMIT_S = 1200
BOOT_CPU_LIMIT_S = 100
TRIES = 3
POLL_S = 0.1
TAIL_LINES = 30


class GuestError(Exception):
    """The guest did not do what it was told; says what is known of why."""


class EmulatorDied(GuestError):
    """QEMU ended by a signal that was not ours: nothing that a guest does may cause that."""


class Guest:
    """Boots when it is made. A context manager: leaving it kills the guest.

    Under emulation a few boots of a hundred fail (an assertion in QEMU while PCI devices are laid out, an oops of the
    kernel's own text patching), so one that does not reach its first program is tried again. `rank` and `count`: which
    guest of a group this is; all of a group share the folder `group`.
    """

    def __init__(self, image, machine, programs, command, *, rank=0, count=1, group=None):
        self.name = f"guest {rank}"
        self._image, self._machine = image, machine
        self._folder = tempfile.TemporaryDirectory(prefix="gpuio_guest_")
        self.control = Path(self._folder.name, "control")
        self.control.mkdir()
        self.output = Path(self._folder.name, "output.txt")
        self._shares = {"control": (self.control, ""), "programs": (programs, ",readonly=on")}
        if group:
            self._shares["group"] = (group, "")
        environment = {"GUEST_RANK": rank, "GUEST_COUNT": count, "GUEST_MODULES": " ".join(machine.modules),
                       "LD_LIBRARY_PATH": "/programs/lib", "PATH": "/programs:$PATH"}
        self.control.joinpath("environment").write_text("".join(f'{k}="{v}"\n' for k, v in environment.items()))
        self.control.joinpath("command").write_text(command + "\n")
        self._process = None
        self._boot()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self._folder.cleanup()

    def text(self):
        """What it has printed so far."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def json(self, name):
        """What the command has written to /control/`name`. Raises GuestError if that is not JSON."""
        try:
            return json.loads(self.control.joinpath(name).read_text())
        except (OSError, ValueError) as error:
            raise GuestError(f"{self.name} wrote no JSON to {name}: {error}") from error

    def kill(self):
        """As pulling the plug: QEMU is killed."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def wait(self, limit_s):
        """The command's exit code. Raises GuestError if the guest is not done in time, or died."""
        self._until(lambda: self._process.poll() is not None, limit_s, "end")
        if self.status() is None:
            kind = EmulatorDied if self._process.returncode < 0 else GuestError
            raise kind(f"{self.name} died: QEMU ended with {self._process.returncode}\n{self._last_words()}")
        return self.status()

    def status(self):
        """The command's exit code, or None: it has not ended, or never will."""
        file = self.control / "status"
        return int(file.read_text()) if file.exists() else None

    def wait_for(self, line, limit_s):
        """Returns when it has printed `line`. Raises GuestError if it ends before, or not in time."""
        printed = lambda: line in self.text()
        self._until(lambda: printed() or self._process.poll() is not None, limit_s, f"print '{line}'")
        if not printed():
            raise GuestError(f"{self.name} ended and had not printed '{line}'\n{self._last_words()}")

    def _boot(self):
        for attempt in range(1, TRIES + 1):
            self._start()
            try:
                self._until(lambda: self._is_up() or self._has_failed_to_boot(), BOOT_LIMIT_S, "boot")
            except GuestError:
                pass
            if self._is_up():
                return
            self.kill()
            print(f"   {self.name}: boot {attempt} of {TRIES} failed", flush=True)
        raise GuestError(f"{self.name} does not boot\n{self._last_words()}")

    def _is_up(self):
        return self.control.joinpath("state").exists()

    def _has_failed_to_boot(self):
        return self._process.poll() is not None or self._processor_seconds() > BOOT_CPU_LIMIT_S

    def _processor_seconds(self):
        """What QEMU has had. Its threads' too; 0 once it is gone."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _start(self):
        # setpriv: QEMU ends with us, however we end.
        command = ["setpriv", "--pdeathsig", "KILL", *self._command_line()]
        self.control.parent.joinpath("qemu.txt").write_text(shlex.join(command) + "\n")
        with open(self.output, "wb") as output, open(self._complaints(), "wb") as complaints:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=complaints)

    def _command_line(self):
        image, machine = self._image, self._machine
        disk = f"file={image.folder}/root.img,if=none,id=root,format=raw,readonly=on,file.locking=off"
        shares = []
        for tag, (folder, options) in self._shares.items():
            shares += ["-fsdev", f"local,id={tag},path={folder},security_model=none,multidevs=remap{options}",
                       "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        return [*image.qemu(), *machine.arguments(), "-nodefaults", "-display", "none", "-no-reboot", "-no-user-config",
                "-kernel", f"{image.folder}/vmlinux", "-initrd", f"{image.folder}/initrd",
                "-append", f"{KERNEL_WORDS} {machine.kernel_words}",
                "-drive", disk, "-device", "virtio-blk-pci,drive=root",
                "-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=random",
                "-device", "virtio-serial-pci", "-chardev", "stdio,id=out,signal=off",
                "-device", "virtconsole,chardev=out", "-serial", f"file:{self._console()}",
                *shares, *machine.devices_to_come_last()]

    def _until(self, done, limit_s, what):
        end = time.monotonic() + limit_s
        while not done():
            if time.monotonic() > end:
                raise GuestError(f"{self.name} did not {what} within {limit_s} s\n{self._last_words()}")
            time.sleep(POLL_S)

    def _console(self):
        return self.control.parent / "console.txt"

    def _complaints(self):
        return self.control.parent / "complaints.txt"

    def _last_words(self):
        """The ends of all that it, its kernel and its QEMU have printed."""
        lines = []
        for path in (self.output, self._console(), self._complaints()):
            if path.exists():
                lines += path.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join(lines)
