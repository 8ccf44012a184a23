# SPDX-License-Identifier: Apache-2.0
"""Prints `passed failed skipped` of a JUnit file as ctest writes it."""

import sys
import xml.etree.ElementTree as ElementTree

suite = ElementTree.parse(sys.argv[1]).getroot()
failed = int(suite.get("failures", 0))
skipped = int(suite.get("skipped", 0)) + int(suite.get("disabled", 0))
print(int(suite.get("tests", 0)) - failed - skipped, failed, skipped)
