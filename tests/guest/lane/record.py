# SPDX-License-Identifier: Apache-2.0
"""docs/guest.md: what the lanes counted last."""

import datetime
import os
import platform
import subprocess

HEAD = """# Guest lane

What `tools/guest_test --record` counted last; it wrote this page. Guests are emulated by QEMU without KVM: they show
what the kernel's drivers and our code do with such hardware, and nothing of its speed.

| | |
| --- | --- |
"""


def write(repository, image, outcomes):
    """`outcomes`: {lane: its outcome}."""
    text = HEAD
    for name, value in facts(repository, image).items():
        text += f"| {name} | {value} |\n"
    text += "\n| lane | | passed | failed | skipped | seconds |\n| --- | --- | --: | --: | --: | --: |\n"
    for lane, outcome in outcomes.items():
        cells = [lane.name, lane.what, *outcome.counts, f"{outcome.seconds:.0f}"]
        text += f"| {' | '.join(map(str, cells))} |\n"
    for title, of in (("Seen", lambda o: o.facts), ("Failed", lambda o: [f.splitlines()[0] for f in o.failures])):
        lines = [f"- {lane.name}: {line}\n" for lane, outcome in outcomes.items() for line in of(outcome)]
        if lines:
            text += f"\n## {title}\n\n{''.join(lines)}"
    repository.joinpath("docs", "guest.md").write_text(text)


def facts(repository, image):
    describe = ["git", "describe", "--always", "--abbrev=10", "--exclude", "*", "--dirty=+"]
    commit = subprocess.run(describe, cwd=repository, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).date(),
        "commit": f"{commit or 'none'} (a + is for changes that were not committed)",
        "guest": f"Linux {image.facts['kernel']}, {image.facts['system']}",
        "emulated by": f"QEMU {image.facts['qemu']}",
        "machine": f"{os.cpu_count()} cores, Linux {platform.release()}",
    }
