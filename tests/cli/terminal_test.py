#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drives gpuio in a real terminal (tmux): bars, colours, Ctrl-C. GPUIO_CLI names the program."""

import json
import os
import re
import shlex
import subprocess
import time
import unittest

from cli_fixture import GPUIO, MIB, CliTest, environment

SLOW = {"GPUIO_SCHEDULER_BANDWIDTH_BULK_BYTES_PER_SECOND": "16MiB"}
ESCAPE = "\x1b"


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(self, folder):
        self.socket = os.path.join(folder, "tmux")
        self.tmux("new-session", "-d", "-x", "120", "-y", "40", "env -i TERM=$TERM PATH=$PATH PS1='$ ' sh")

    def tmux(self, *arguments):
        return subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *arguments], check=True,
                              env=environment(), capture_output=True, text=True, timeout=20).stdout

    def close(self):
        self.tmux("kill-server")

    def type(self, *arguments, redirect=None, **variables):
        """Types a gpuio command line; the exit code follows its output as 'rc=N'."""
        words = [f"{key}={shlex.quote(value)}" for key, value in {"GPUIO_CONFIG": "", **variables}.items()]
        line = " ".join([*words, shlex.quote(GPUIO), *map(shlex.quote, arguments)])
        if redirect:
            line += " > " + shlex.quote(redirect)
        self.tmux("send-keys", "-l", "clear; " + line + '; echo "rc""=$?"')
        self.tmux("send-keys", "Enter")

    def screen(self, colors=False):
        return self.tmux("capture-pane", "-p", "-J", *(["-e"] if colors else []))

    def wait_for(self, pattern, timeout_s=30, colors=False):
        """The screen once it matches `pattern`."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            screen = self.screen(colors)
            if re.search(pattern, screen):
                return screen
            time.sleep(0.05)
        raise AssertionError(f"no {pattern!r} within {timeout_s} s on:\n{self.screen()}")


class TerminalTest(CliTest):
    def setUp(self):
        super().setUp()
        self.terminal = Terminal(self.folder)
        self.addCleanup(self.terminal.close)
        self.file = self.write_random("big.bin", 48 * MIB)

    def test_a_bar_shows_share_rate_and_time_left_then_the_table(self):
        self.terminal.type("load", self.file, "--device", "host", "--no-compare", **SLOW)
        self.terminal.wait_for(r"load +\[#+\.+\] +\d+ %  [\d.]+ [kMG]?B/s  \d:\d\d left")
        screen = self.terminal.wait_for(r"rc=\d+")
        self.assertIn("rc=0", screen)
        self.assertRegex(screen, r"load +\[#{40}\] +100 %")
        self.assertIn("Verified: every byte", screen)

    def test_no_progress_and_dumb_terminals_draw_no_bar(self):
        for arguments, variables in ((["--no-progress"], {}), ([], {"TERM": "dumb"})):
            self.terminal.type("load", self.file, "--device", "host", "--no-compare", *arguments, **variables)
            screen = self.terminal.wait_for(r"rc=\d+")
            self.assertIn("rc=0", screen)
            self.assertNotIn("[#", screen)

    def test_json_on_a_terminal_keeps_the_bar_off_stdout(self):
        out = self.path("out.json")
        self.terminal.type("load", self.file, "--device", "host", "--no-compare", "--json", redirect=out)
        self.assertIn("rc=0", self.terminal.wait_for(r"load +\[#{40}\] +100 %[^$]*rc=\d+"))
        with open(out, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["schema"], "gpuio.load/1")

    def test_ctrl_c_wipes_the_bar_and_exits_130(self):
        self.terminal.type("load", self.file, "--device", "host", **{key: "1MiB" for key in SLOW})
        self.terminal.wait_for(r"load +\[")
        time.sleep(0.5)
        self.terminal.tmux("send-keys", "C-c")
        screen = self.terminal.wait_for(r"rc=\d+", timeout_s=15)
        self.assertIn("gpuio: interrupted: what was under way is cancelled", screen)
        self.assertIn("rc=130", screen)
        self.assertNotRegex(screen, r"load +\[")

    def test_colour_is_used_unless_no_color_is_set(self):
        self.terminal.type("doctor")
        self.assertRegex(self.terminal.wait_for(r"rc=\d+", colors=True), ESCAPE + r"\[32mok")
        self.terminal.type("doctor", NO_COLOR="1")
        time.sleep(0.2)
        self.assertNotIn(ESCAPE + "[32m", self.terminal.wait_for(r"problems\s+rc=\d+", colors=True))


if __name__ == "__main__":
    unittest.main()
