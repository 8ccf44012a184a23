# SPDX-License-Identifier: Apache-2.0
"""bars.toml as objects, checked: a bar that is misspelt is refused before anything is measured."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).resolve().parents[1] / "bars.toml"
ID = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
DIRECTIONS = ("at least", "at most")
KINDS = {
    "ratio": {"figure", "of", "to", "factors", "pick", "reaching"},
    "difference": {"figure", "of", "to", "factors", "pick", "reaching"},
    "median": {"figure", "of"},
    "quantile": {"figure", "of", "q"},
    "highest": {"figure", "of"},
}


class CatalogueError(Exception):
    """What is wrong with bars.toml, by bar."""


@dataclass(frozen=True)
class Bar:
    id: str
    title: str
    unit: str
    goal: float
    direction: str
    measurement: str
    value: dict

    def met(self, value):
        return value >= self.goal if self.direction == "at least" else value <= self.goal


def _problem(bar):
    """What is wrong with one bar, or None."""
    if not ID.fullmatch(bar.id):
        return "the id is not of the form room.subject"
    if bar.id != bar.measurement and not bar.id.startswith(bar.measurement + "."):
        return f"the id does not begin with its measurement {bar.measurement}"
    if bar.direction not in DIRECTIONS:
        return f"the direction is none of {', '.join(DIRECTIONS)}"
    if not isinstance(bar.goal, (int, float)):
        return "the goal is no number"
    allowed = KINDS.get(bar.value.get("kind"))
    if allowed is None:
        return f"the kind of its value is none of {', '.join(KINDS)}"
    unknown = set(bar.value) - allowed - {"kind"}
    missing = {"figure", "of", "to", "q"} & allowed - set(bar.value)
    if unknown or missing:
        return f"its value has {sorted(unknown)} that mean nothing, or lacks {sorted(missing)}"
    if "factors" in bar.value and len(bar.value["factors"]) != len(bar.value["to"]):
        return "factors and to differ in length"
    return None


def load(path=PATH):
    """All bars by id, in the order of the file."""
    with open(path, "rb") as file:
        entries = tomllib.load(file)["bar"]
    bars = {}
    for entry in entries:
        try:
            bar = Bar(**entry)
        except TypeError as error:
            raise CatalogueError(f"{path}: {entry.get('id', entry)}: {error}") from error
        problem = "the id occurs twice" if bar.id in bars else _problem(bar)
        if problem:
            raise CatalogueError(f"{path}: {bar.id}: {problem}")
        bars[bar.id] = bar
    return bars
