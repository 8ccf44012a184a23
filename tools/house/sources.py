# SPDX-License-Identifier: Apache-2.0
"""What the check tools share: the files of the tree, and how findings are printed."""

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
IGNORED_FOLDERS = {"build", "__pycache__", "fixtures"}
HIDDEN_FOLDERS_OF_OURS = {".ci"}
CPP_SUFFIXES = {".hpp", ".h", ".cpp", ".cu"}


def files(root, suffixes=None):
    """Every file below `root`, sorted, without build trees and fixtures. The tree need not be a git checkout."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if _is_ours(name))
        for name in sorted(names):
            path = Path(folder, name)
            # In a worktree `.git` is a file.
            if name != ".git" and not path.is_symlink() and (suffixes is None or path.suffix in suffixes):
                found.append(path)
    return found


def _is_ours(folder):
    return folder in HIDDEN_FOLDERS_OF_OURS or not (folder in IGNORED_FOLDERS or folder.startswith("."))


def strip_cpp(text):
    """C++ text with comments and the insides of literals blanked; line numbers and columns stay."""
    out = []
    i, size = 0, len(text)
    while i < size:
        two = text[i : i + 2]
        if two == "//":
            end = text.find("\n", i)
            i = _blank(text, i, size if end < 0 else end, out)
        elif two == "/*":
            end = text.find("*/", i + 2)
            i = _blank(text, i, size if end < 0 else end + 2, out)
        elif text[i] == '"' and out and out[-1] == "R":
            delimiter = text[i + 1 : text.find("(", i)]
            end = text.find(f'){delimiter}"', i)
            i = _blank(text, i, size if end < 0 else end + len(delimiter) + 2, out)
        elif text[i] == '"' or (text[i] == "'" and not (out and out[-1].isalnum())):
            i = _literal(text, i, out)
        else:
            out.append(text[i])
            i += 1
    return "".join(out)


def _blank(text, start, end, out):
    out.extend("\n" if c == "\n" else " " for c in text[start:end])
    return end


def _literal(text, start, out):
    quote, i = text[start], start + 1
    while i < len(text) and text[i] != quote and text[i] != "\n":
        i += 2 if text[i] == "\\" else 1
    out.append(quote)
    _blank(text, start + 1, min(i, len(text)), out)
    out.append(quote if text[i : i + 1] == quote else "\n")
    return i + 1


def finish(tool, findings, checked):
    """Prints the findings, one a line as `file:line: what`, and exits: 0 if there are none, else 1."""
    for finding in findings:
        print(finding)
    if findings:
        print(f"{tool}: {len(findings)} finding(s) in {checked} files", file=sys.stderr)
    else:
        print(f"{tool}: {checked} files, nothing found")
    sys.exit(1 if findings else 0)
