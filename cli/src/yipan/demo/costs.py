"""What the processes of an installation cost: CPU seconds and memory, from the process table."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from yipan.home import Running

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds used and MiB resident, of a process and those it started."""

    cpu_s: float
    memory_mib: int


def costs_of(running: Running) -> dict[str, Cost]:
    """Return what every process costs so far, by name; a server's children count with it."""
    children = _children()
    return {name: _cost(pid, children) for name, pid in running.pids().items()}


def spent(before: Mapping[str, Cost], after: Mapping[str, Cost]) -> dict[str, Cost]:
    """Return the CPU used between two readings, with the memory of the second."""
    return {
        name: Cost(cost.cpu_s - (before[name].cpu_s if name in before else 0.0), cost.memory_mib)
        for name, cost in after.items()
    }


def _children() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    return children


def _cost(pid: int, children: Mapping[int, list[int]]) -> Cost:
    # A server's ended children are in its own children's time; those alive are read one by one.
    fields = _stat(pid)
    if not fields:
        return Cost(0.0, 0)
    ticks = sum(int(fields[place]) for place in (11, 12, 13, 14))
    memory_mib = _unshared_mib(pid)
    for child in children.get(pid, ()):
        cost = _cost(child, children)
        ticks += round(cost.cpu_s * _TICKS_PER_S)
        memory_mib += cost.memory_mib
    return Cost(ticks / _TICKS_PER_S, memory_mib)


def _stat(pid: int) -> list[str]:
    """Return the fields of a process after its name (proc(5), from `state` on); none when gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _unshared_mib(pid: int) -> int:
    """Return resident memory without files and shared buffers, which would count many times."""
    try:
        words = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return (int(words[1]) - int(words[2])) * _PAGE_BYTES // 2**20
