# SPDX-License-Identifier: Apache-2.0
"""What a guest is made of, and how QEMU is told so. What the tests expect to see in the guest is asked here too."""

from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20

# Debian's kernels would spend seconds on hardware that is emulated anyway. `hpet`: a kernel measures its processor's
# counter when it boots, and gets it wrong by factors while QEMU has to wait for a processor of the host's.
KERNEL_WORDS = ("console=ttyS0 quiet panic=-1 mitigations=off nokaslr random.trust_cpu=on net.ifnames=0 no_timer_check "
                "tsc=reliable clocksource=hpet")


@dataclass(frozen=True)
class Backing:
    """Memory of a device that lies in a file: guests with the same file share it."""

    file: Path
    mib: int

    def arguments(self, name):
        """The QEMU object `name`; the file is made to size if it is new."""
        if not self.file.exists() or self.file.stat().st_size < self.mib * MIB:
            with open(self.file, "ab") as file:
                file.truncate(self.mib * MIB)
        return ["-object", f"memory-backend-file,id={name},share=on,mem-path={self.file},size={self.mib * MIB}"]


@dataclass(frozen=True)
class Machine:
    """A guest's hardware. With one processor, QEMU's atomics are not atomic towards another QEMU: so two."""

    memory_mib: int = 1024
    processors: int = 2
    nodes: int = 1
    far_node: bool = False  # The last node has no processor, as far or pooled memory has none.
    cxl: Backing | None = None  # A CXL type 3 device with volatile memory, of multiples of 256 MiB.
    nvdimm: Backing | None = None
    ivshmem: Backing | None = None
    kernel_words: str = ""

    @property
    def near_nodes(self):
        """Nodes with processors are the first ones."""
        return self.nodes - 1 if self.far_node else self.nodes

    def processors_of(self, node):
        return [p for p in range(self.processors) if p % self.near_nodes == node] if node < self.near_nodes else []

    def distance(self, source, target):
        if source == target:
            return 10
        return 21 if max(source, target) < self.near_nodes else 31

    def latency_ns(self, source, target):
        return {10: 80, 21: 140, 31: 250}[self.distance(source, target)]

    def bandwidth_mib(self, source, target):
        """A second. As latency: told to the guest, and not emulated."""
        return {10: 200, 21: 100, 31: 50}[self.distance(source, target)]

    @property
    def modules(self):
        """What the guest's kernel has to load."""
        names = []
        if self.cxl:
            names += ["cxl_acpi", "cxl_pci", "cxl_port", "cxl_mem", "device_dax", "dax_cxl"]
        if self.nvdimm:
            names += ["nfit", "nd_pmem", "device_dax", "dax_pmem"]
        return names

    def arguments(self):
        """QEMU's arguments, but for the devices through which the guest is reached (guest.py)."""
        return [*self._processor(), *self._memory(), *self._shared_devices()]

    def devices_to_come_last(self):
        """A device without `bus=` goes to the newest bus, so those with a bus of their own follow all others."""
        if not self.cxl:
            return []
        return [*self.cxl.arguments("cxl_memory"),
                "-device", "pxb-cxl,bus_nr=12,bus=pcie.0,id=cxl.1",
                "-device", "cxl-rp,port=0,bus=cxl.1,id=cxl_port,chassis=0,slot=2",
                "-device", "cxl-type3,bus=cxl_port,volatile-memdev=cxl_memory,id=cxl0,sn=0xca75",
                "-M", "cxl-fmw.0.targets.0=cxl.1,cxl-fmw.0.size=4G"]

    def _processor(self):
        # The kernel commits a CXL region only where it may flush all caches, and it thinks it may not in a guest: so
        # the processor does not say that it is one.
        processor = "max,la57=off" + (",hypervisor=off" if self.cxl else "")
        machine = "q35" + (",cxl=on" if self.cxl else "") + (",nvdimm=on" if self.nvdimm else "")
        if self.nodes > 1:
            machine += ",hmat=on"
        # Nested or not, /dev/kvm of many hosts does not get Debian's kernels far: emulation works on all of them.
        return ["-accel", "tcg,thread=multi", "-cpu", processor, "-M", machine]

    def _memory(self):
        more = f",slots=4,maxmem={self.memory_mib + self.nvdimm.mib + 4096}M" if self.nvdimm else ""
        sockets = f"cpus={self.processors},sockets={self.processors},cores=1,threads=1"
        arguments = ["-m", f"{self.memory_mib}M{more}", "-smp", sockets]
        if self.nodes > 1:
            return arguments + self._nodes()
        if self.nvdimm:  # It belongs to a node, so there has to be one.
            node = f"memory-backend-ram,id=node0,size={self.memory_mib}M"
            arguments += ["-object", node, "-numa", "node,memdev=node0"]
        return arguments

    def _nodes(self):
        arguments = []
        for node in range(self.nodes):
            initiator = "" if node < self.near_nodes else f",initiator={self.near_nodes - 1}"
            arguments += ["-object", f"memory-backend-ram,id=node{node},size={self.memory_mib // self.nodes}M",
                          "-numa", f"node,nodeid={node},memdev=node{node}{initiator}"]
        for node in range(self.near_nodes):
            for processor in self.processors_of(node):
                arguments += ["-numa", f"cpu,node-id={node},socket-id={processor}"]
        for source in range(self.nodes):
            for target in range(source + 1, self.nodes):
                arguments += ["-numa", f"dist,src={source},dst={target},val={self.distance(source, target)}"]
        for source in range(self.near_nodes):
            for target in range(self.nodes):
                common = f"hmat-lb,initiator={source},target={target},hierarchy=memory,data-type=access-"
                arguments += ["-numa", f"{common}latency,latency={self.latency_ns(source, target)}",
                              "-numa", f"{common}bandwidth,bandwidth={self.bandwidth_mib(source, target)}M"]
        return arguments

    def _shared_devices(self):
        arguments = []
        if self.nvdimm:
            arguments += [*self.nvdimm.arguments("nvdimm_memory"), "-device", "nvdimm,memdev=nvdimm_memory,id=nvdimm0"]
        if self.ivshmem:
            arguments += [*self.ivshmem.arguments("ivshmem_memory"), "-device", "ivshmem-plain,memdev=ivshmem_memory"]
        return arguments
