# SPDX-License-Identifier: Apache-2.0
"""Where functions begin and end, without a compiler: good enough to measure their length."""

import ast
import re

from house.sources import strip_cpp

SCOPE = re.compile(r'(inline\s+|typedef\s+)*(namespace|class|struct|union|enum|extern\s*"[^"]*")')
QUALIFIER = r"const\b|noexcept\b|override\b|final\b|mutable\b|&|try\b|requires\b[^;]*|->\s*[^;]*|:\s[^;]*"
CALLABLE = re.compile(rf"\)\s*(({QUALIFIER})\s*)*$", re.DOTALL)
PREFIX = re.compile(r"\s*((public|private|protected)\s*:|\[\[.*?\]\]|template\s*<)", re.DOTALL)
NAME = re.compile(r"([\w:~]+|operator[^\s(]+)\s*\(")


def cpp_functions(text):
    """(name, first line, last line) of each outermost function body; lambdas count within the function around them."""
    clean = re.sub(r"^\s*#.*?(?<!\\)$", _blank_match, strip_cpp(text), flags=re.MULTILINE | re.DOTALL)
    line, head_start, depth_of_function, depth = 1, 0, None, 0
    name, first = "", 0
    for i, c in enumerate(clean):
        if c == "\n":
            line += 1
        elif c == "{":
            head = clean[head_start:i].strip()
            declaration = _without_prefixes(head)
            if depth_of_function is None and CALLABLE.search(declaration) and not SCOPE.match(declaration):
                depth_of_function, name = depth, _name(declaration)
                first = line - clean[head_start:i].lstrip().count("\n")
            depth += 1
            head_start = i + 1
        elif c == "}":
            depth -= 1
            head_start = i + 1
            if depth == depth_of_function:
                depth_of_function = None
                yield name, first, line
        elif c == ";" and depth_of_function is None:
            head_start = i + 1


def _blank_match(match):
    return re.sub(r"[^\n]", " ", match[0])


def _without_prefixes(head):
    """A declaration without access specifiers, attributes and `template <...>`."""
    while match := PREFIX.match(head):
        end = match.end()
        if match[1].startswith("template"):
            open_brackets = 1
            while open_brackets and end < len(head):
                open_brackets += {"<": 1, ">": -1}.get(head[end], 0)
                end += 1
        head = head[end:]
    return head.strip()


def _name(head):
    match = NAME.search(head)
    return match[1] if match else "a function"


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno


def shell_functions(text):
    first, name = 0, None
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r"(\w+)\(\)\s*[{(]\s*$", line)
        if match:
            first, name = number, match[1]
        elif name and line in ("}", ")"):
            yield name, first, number
            name = None
