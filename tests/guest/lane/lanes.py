# SPDX-License-Identifier: Apache-2.0
"""The lanes: which machine, what runs in it, and what must be seen from outside."""

from dataclasses import dataclass
from functools import partial
from typing import Callable

from .machine import Backing, Machine
from .topology import cxl_is_the_machines, nodes_are_the_machines

# Emulated, on two busy cores.
LIMIT_S = 1500
CXL_MIB = 512
NODES = Machine(memory_mib=1536, nodes=3, far_node=True)


@dataclass(frozen=True)
class Lane:
    """`programs`: of the build tree, those that it runs."""

    name: str
    what: str
    programs: tuple
    steps: Callable


@dataclass(frozen=True)
class SharedMemory:
    """Memory that two guests see: how a machine gets it, and the command that names it in a guest."""

    field: str  # Of Machine.
    command: str
    mib: int
    coherent: bool  # As the pool is told.
    lease_s: int = 600  # Guests of a busy machine may be kept waiting for minutes.
    known_dead: bool = True  # The host that comes back knows that it was off, and waits for no lease.

    def attach(self):
        """What a guest runs first; an assignment of its own, for `export` would hide a failure."""
        return f"memory=$({self.command})\nexport GPUIO_GUEST_MEMORY=cxl://$memory"


CXL = SharedMemory("cxl", "cxl_memory devdax", CXL_MIB, coherent=False)
NVDIMM = SharedMemory("nvdimm", "nvdimm", CXL_MIB, coherent=True)
IVSHMEM = SharedMemory("ivshmem", "ivshmem", 256, coherent=True, lease_s=60, known_dead=False)


def script(*commands):
    """Runs them all; fails if one does."""
    return "\n".join([*(f"{command} || failed=1" for command in commands), "exit ${failed:-0}"])


def in_turn(*commands):
    """Runs them until one fails."""
    return "\n".join(["set -e", *commands])


def tests(program, pattern="*"):
    return f"{program} --gtest_filter='{pattern}'"


def boot(lab):
    """The lane itself: it must notice what goes wrong in a guest."""
    with lab.guest(Machine(), "exit 7") as guest:
        lab.equal("a command's exit code comes out of the guest", guest.wait(LIMIT_S), 7)
    with lab.guest(Machine(), "echo begun; sleep 1000") as guest:
        guest.wait_for("begun", LIMIT_S)
        guest.kill()
        lab.check("a guest that is killed says nothing of an exit code", guest.status() is None)


def numa(lab):
    """Three nodes, the last without processors."""
    far = NODES.nodes - 1
    command = script(tests("core_test", "Numa.*:HostPages.*"),
                     "gpuio topology --json >/control/topology.json",
                     f"export GPUIO_GUEST_FAR_NODE={far}",
                     tests("guest_placement_test", "-Cpuset.*"),
                     f"in_cpuset 0-{far - 1} " + tests("guest_placement_test", "Cpuset.*"))
    with lab.guest(NODES, command) as guest:
        lab.ended_well(guest, LIMIT_S)
        nodes_are_the_machines(lab, guest.json("topology.json"), NODES)


def cxl_dax(lab):
    """CXL memory for loads, stores and transfers."""
    machine = Machine(cxl=Backing(lab.scratch / "memory", CXL_MIB))
    command = in_turn(CXL.attach(), f"export GPUIO_GUEST_MEMORY_MIB={CXL_MIB}",
                      "gpuio topology --json >/control/topology.json",
                      tests("guest_dax_test"))
    with lab.guest(machine, command) as guest:
        lab.ended_well(guest, LIMIT_S)
        cxl_is_the_machines(lab, guest.json("topology.json"), machine, "devdax")


def cxl_stores(lab):
    """What every Store and every Region must do, done by a dax device. A small one: each test fills it, a microsecond
    for each word."""
    machine = Machine(cxl=Backing(lab.scratch / "memory", CXL_MIB))
    command = in_turn("device=$(cxl_memory devdax 8)", "export GPUIO_TEST_DAX=$device",
                      tests("stores_test", "*/dax_device"), tests("regions_test", "*/dax_device"))
    with lab.guest(machine, command) as guest:
        lab.ended_well(guest, LIMIT_S)


def cxl_node(lab):
    """CXL memory as a node. A second node of DRAM: without it there is no table that gives CXL memory a node."""
    machine = Machine(nodes=2, cxl=Backing(lab.scratch / "memory", CXL_MIB),
                      kernel_words="memhp_default_state=offline")
    command = in_turn("node=$(cxl_memory node)", "export GPUIO_GUEST_FAR_NODE=$node",
                      "gpuio topology --json >/control/topology.json",
                      tests("guest_placement_test", "FarNode.*"))
    with lab.guest(machine, command) as guest:
        lab.ended_well(guest, LIMIT_S)
        cxl_is_the_machines(lab, guest.json("topology.json"), machine, "system_ram")


def pool(memory, lab):
    """Two hosts on one pool, of which one is switched off in the middle and comes back."""
    group = lab.scratch / "group"
    group.mkdir()
    machine = Machine(memory_mib=768, **{memory.field: Backing(lab.scratch / "memory", memory.mib)})
    settings = (f"export GPUIO_GUEST_COHERENT={memory.coherent:d} GPUIO_GUEST_LEASE_S={memory.lease_s} "
                f"GPUIO_GUEST_KNOWN_DEAD={memory.known_dead:d}")
    attach = f"{memory.attach()}\n{settings}"
    end = ("meet finished", tests("guest_pool_test", "FinishedPool.*"),
           "meet verified", tests("guest_pool_test", "EmptiedPool.*"))
    exchange = tests("guest_pool_test", "TwoHosts.*")
    first = in_turn(attach, tests("guest_pool_test", "NewPool.*"), "meet made", exchange, *end)
    second = in_turn("meet made", attach, exchange)
    again = in_turn(attach, tests("guest_pool_test", "RestartedHost.*"), *end)
    two = {"count": 2, "group": group}
    with lab.guest(machine, first, rank=0, **two) as survivor:
        with lab.guest(machine, second, rank=1, **two) as victim:
            victim.wait_for("published 20000", LIMIT_S)
            victim.kill()
        with lab.guest(machine, again, rank=1, **two) as restarted:
            # Without the one, the other would wait in vain.
            if lab.ended_well(restarted, LIMIT_S):
                lab.ended_well(survivor, LIMIT_S)


POOL = ("guest_pool_test",)
LANES = (
    Lane("boot", "the lane itself: what goes wrong in a guest is noticed", (), boot),
    Lane("numa", "three nodes, one without processors: topology, placement and migration, as the kernel tells them",
         ("core_test", "gpuio", "guest_placement_test"), numa),
    Lane("cxl_dax", "CXL memory as a dax device: transfers, mappings, Views", ("gpuio", "guest_dax_test"), cxl_dax),
    Lane("cxl_stores", "the suites of all kinds of Stores and of Regions, on that device",
         ("stores_test", "regions_test"), cxl_stores),
    Lane("cxl_node", "CXL memory as a node: placement and migration", ("gpuio", "guest_placement_test"), cxl_node),
    Lane("pool_cxl", "two hosts on a pool in CXL memory without atomics between hosts; one is killed and comes back",
         POOL, partial(pool, CXL)),
    Lane("pool_nvdimm", "the same in an NVDIMM that both see coherently", POOL, partial(pool, NVDIMM)),
    Lane("pool_ivshmem", "the same in the memory of a PCI device; the dead host's lease has to run out first", POOL,
         partial(pool, IVSHMEM)),
)
