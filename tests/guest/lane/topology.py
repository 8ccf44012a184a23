# SPDX-License-Identifier: Apache-2.0
"""Whether `gpuio topology --json` in a guest tells of the machine that QEMU was told to be."""

from .machine import MIB

# The kernel keeps some of a node's memory for itself.
KERNEL_SHARE = 0.2


def nodes_are_the_machines(lab, seen, machine):
    """Nodes, their processors and sizes, distances, and what HMAT promises to the best initiators."""
    nodes = {node["id"]: node for node in seen["nodes"]}
    lab.equal("topology: nodes", sorted(nodes), list(range(machine.nodes)))
    size = machine.memory_mib // machine.nodes * MIB
    for source, node in sorted(nodes.items()):
        lab.equal(f"topology: processors of node {source}", node["cpus"], machine.processors_of(source))
        lab.check(f"topology: size of node {source}", size * (1 - KERNEL_SHARE) <= node["total_bytes"] <= size,
                  f"{node['total_bytes']} of {size}")
        lab.equal(f"topology: distances from node {source}",
                  {to["node"]: to["distance"] for to in node["distances"]},
                  {target: machine.distance(source, target) for target in nodes})
        promised_is_the_machines(lab, node, machine)


def promised_is_the_machines(lab, node, machine):
    target, access = node["id"], node["access"]
    best = min(range(machine.near_nodes), key=lambda source: machine.latency_ns(source, target))
    lab.equal(f"topology: latency of node {target}", access["read_latency_ns"], machine.latency_ns(best, target))
    # The kernel rounds to MB a second.
    seen, told = access["read_bytes_per_second"], machine.bandwidth_mib(best, target) * MIB
    lab.check(f"topology: bandwidth of node {target}", abs(seen - told) <= 0.05 * told, f"{seen}, not {told}")


def cxl_is_the_machines(lab, seen, machine, mode):
    """One CXL memory device, one region over all of it, one dax device in that mode."""
    size = machine.cxl.mib * MIB
    memories, regions, dax = seen["cxl"]["memories"], seen["cxl"]["regions"], seen["dax_devices"]
    lab.equal("topology: CXL memories", [(m["name"], m["ram_bytes"]) for m in memories], [("mem0", size)])
    lab.equal("topology: CXL regions", [(r["mode"], r["size_bytes"], r["committed"]) for r in regions],
              [("ram", size, True)])
    kinds = {decoder["kind"] for decoder in seen["cxl"]["decoders"]}
    lab.equal("topology: kinds of CXL decoders", sorted(kinds), ["endpoint", "port", "root"])
    lab.equal("topology: dax devices", [(d["mode"], d["size_bytes"]) for d in dax], [(mode, size)])
    if mode == "system_ram" and dax:
        node = {n["id"]: n for n in seen["nodes"]}.get(dax[0]["target_node"])
        lab.check("topology: the CXL memory is a node of the tier cxl", node is not None and node["tier"] == "cxl",
                  f"{node}")
