# SPDX-License-Identifier: Apache-2.0
"""Prints `passed failed skipped` of a JUnit file as ctest writes it. A test that could not be run has failed."""

import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    if case.get("status") == "run":
        return "passed"
    skipped = case.find("skipped")
    # GoogleTest's skips are told from programs that are missing by the property that recognised them.
    chosen = skipped is not None and skipped.get("message", "").startswith("SKIP_")
    return "skipped" if chosen or case.get("status") == "disabled" else "failed"


outcomes = [outcome(case) for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase")]
print(*(outcomes.count(kind) for kind in ("passed", "failed", "skipped")))
