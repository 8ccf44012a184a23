# SPDX-License-Identifier: Apache-2.0
"""The lanes: which machine, what runs in it, and what must be seen from outside."""

from dataclasses import dataclass
from typing import Callable

from .machine import Machine

# Under emulation, on two busy cores.
LIMIT_S = 900


@dataclass(frozen=True)
class Lane:
    """`programs`: of the build tree, those that it runs."""

    name: str
    what: str
    programs: tuple
    steps: Callable


def numa(lab):
    """Three nodes, the last without processors."""
    machine = Machine(memory_mib=1536, nodes=3, far_node=True)
    with lab.guest(machine, "core_test --gtest_filter='Numa.*:HostPages.*'") as guest:
        lab.ended_well(guest, LIMIT_S)


LANES = (
    Lane("numa", "three nodes, one far: placement and migration as the kernel sees them", ("core_test",), numa),
)
