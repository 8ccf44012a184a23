# SPDX-License-Identifier: Apache-2.0
"""tools/layers.toml as an object: which room a file belongs to, and which rooms it may see."""

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path


class Layers:
    def __init__(self, path):
        with open(path, "rb") as file:
            data = tomllib.load(file)
        self.users = set(data["users"])
        self.system = data["system"]
        self.vendor = data["vendor"]
        self.symbols = data["symbols"]
        self.floors = data["floors"]
        self._floor = {room: index for index, floor in enumerate(data["floors"]) for room in floor}
        # Longest prefix first: a file named alone wins over the folder it lies in.
        self._rooms = sorted(data["rooms"].items(), key=lambda item: -len(item[0]))
        unknown = {room for _, room in self._rooms} - set(self._floor)
        if unknown:
            raise SystemExit(f"{path}: rooms that stand on no floor: {', '.join(sorted(unknown))}")

    def room(self, path):
        """The room of a path relative to the repository, or None."""
        name = Path(path).as_posix()
        for prefix, room in self._rooms:
            if name == prefix or name.startswith(prefix + "/"):
                return room
        return None

    def rooms(self):
        return set(self._floor)

    def may_see(self, room, other):
        return room == other or self._floor[other] < self._floor[room]

    @staticmethod
    def permitted(rules, name, room, path):
        """What `rules` say of `name`: True, False, or None where no pattern knows it."""
        verdict = None
        for pattern, holders in rules.items():
            if not fnmatchcase(name, pattern):
                continue
            if any(holder in ("*", room) or fnmatchcase(path, holder) for holder in holders):
                return True
            verdict = False
        return verdict
