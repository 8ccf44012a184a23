# SPDX-License-Identifier: Apache-2.0
"""What a lane works with: it boots guests, and counts what their tests and its own checks have found."""

import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

from .guest import EmulatorDied, Guest, GuestError

PASSED = re.compile(r"^\[       OK \] (\S+) \(\d+ ms\)$", re.MULTILINE)
FAILED = re.compile(r"^\[  FAILED  \] (\S+?),? .*\(\d+ ms\)$", re.MULTILINE)
SKIPPED = re.compile(r"^\[  SKIPPED \] (\S+) \(\d+ ms\)$", re.MULTILINE)
# What a program reports for the record: `fact: objects published: 100000`.
FACT = re.compile(r"^fact: (.*)$", re.MULTILINE)


@dataclass
class Outcome:
    """What a lane has found."""

    passed: int = 0
    skipped: int = 0
    failures: list = field(default_factory=list)
    facts: list = field(default_factory=list)
    seconds: float = 0

    @property
    def counts(self):
        return self.passed, len(self.failures), self.skipped


class Lab:
    """One lane's. `logs`: the folder that keeps what its guests printed."""

    def __init__(self, name, image, programs, logs, scratch):
        self.outcome = Outcome()
        self.scratch = scratch
        self._name, self._image, self._programs, self._logs = name, image, programs, logs
        self._started = time.monotonic()
        self._boots = 0

    @contextmanager
    def guest(self, machine, command, **group):
        """A guest that runs `command`; its log is kept and its tests are counted when it is left."""
        self._boots += 1
        log = self._logs / f"{self._name}.{self._boots}.txt"
        with Guest(self._image, machine, self._programs, command, **group) as guest:
            try:
                yield guest
            finally:
                log.write_text(guest.text())
        self.count(log.read_text())

    def check(self, what, holds, why=""):
        """One test that is the lane's own."""
        if holds:
            self.outcome.passed += 1
        else:
            self.outcome.failures.append(f"{what}{': ' if why else ''}{why}")

    def equal(self, what, seen, expected):
        self.check(what, seen == expected, f"{seen!r}, not {expected!r}")

    def ended_well(self, guest, limit_s):
        """Waits for a guest's command, which must succeed; says whether it has."""
        status = guest.wait(limit_s)
        tail = "\n".join(guest.text().splitlines()[-30:])
        self.check(f"{guest.name} succeeds", status == 0, f"its command ended with {status}\n{tail}")
        return status == 0

    def finish(self, error=None):
        """The outcome; an exception is one failure more."""
        if error is not None:
            self.outcome.failures.append(str(error))
        self.outcome.seconds = time.monotonic() - self._started
        return self.outcome

    def count(self, text):
        """Adds what a program printed: its tests, and facts for the record."""
        self.outcome.passed += len(PASSED.findall(text))
        self.outcome.skipped += len(SKIPPED.findall(text))
        self.outcome.failures += [f"{test} failed in the guest" for test in FAILED.findall(text)]
        self.outcome.facts += FACT.findall(text)


def run(lane, lab):
    """Runs a lane to its end, whatever happens in it. Raises EmulatorDied: then it says nothing of what it tests."""
    try:
        lane.steps(lab)
    except EmulatorDied:
        raise
    except GuestError as error:
        return lab.finish(error)
    return lab.finish()
