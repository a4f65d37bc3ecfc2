"""Random faults on a running installation: which, when and on what follows from a seed."""

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from yipan.home import Home, NotRunningError, Running

VOLLEYS = (1, 1, 2, 3, 4)
"""How many processes are hit at once; each is as likely as it is frequent here."""

SESSION_S = 6.0
"""The consumers' session: whoever is silent for longer loses its lanes and comes back a zombie."""

FREEZE_S = (SESSION_S + 0.5, SESSION_S + 4.0)
SERVERS = ("kafka", "postgres")
POLL_S = 0.2


class Kind(StrEnum):
    """What is done to a process."""

    KILL = "killed"
    FREEZE = "frozen"
    BACKEND = "backend killed"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault to come: seconds after the beginning, the process's label, for how long."""

    at_s: float
    target: str
    kind: Kind
    lasts_s: float = 0.0


@dataclass(slots=True)
class Injected:
    """A fault that was done. It is over when its process answers again (monotonic seconds)."""

    fault: Fault
    began_s: float
    over_s: float | None = None

    @property
    def lasted_s(self) -> float | None:
        """How long it took from the fault to an answer."""
        return None if self.over_s is None else self.over_s - self.began_s


def plan(seed: int, targets: Sequence[str], faults: int, every_s: float) -> list[Fault]:
    """Return so many faults, in volleys whose mean distance is `every_s`; equal for equal seeds."""
    chance = random.Random(seed)
    found: list[Fault] = []
    at_s = 0.0
    while len(found) < faults:
        at_s += every_s * chance.uniform(0.5, 1.5)
        volley = min(chance.choice(VOLLEYS), len(targets), faults - len(found))
        found += [_fault(chance, at_s, target) for target in chance.sample(list(targets), volley)]
    return found


def _fault(chance: random.Random, at_s: float, target: str) -> Fault:
    at_s += chance.uniform(0, 0.5)
    draw = chance.random()
    if target == "postgres" and draw < 0.4:
        return Fault(at_s, target, Kind.BACKEND)
    if draw < 0.7:
        return Fault(at_s, target, Kind.KILL)
    return Fault(at_s, target, Kind.FREEZE, chance.uniform(*FREEZE_S))


def overlapping(injected: Sequence[Injected]) -> int:
    """Return how many faults were under way at once, at most."""
    steps = [(each.began_s, 1) for each in injected]
    steps += [(each.over_s, -1) for each in injected if each.over_s is not None]
    most = under_way = 0
    for _, step in sorted(steps):
        under_way += step
        most = max(most, under_way)
    return most


class Injector:
    """Does the faults of a plan while the block runs; `done` tells what was really done.

    A fault on a process that is just being started again is left out. The supervisor is spared: it
    stands for systemd or Kubernetes. Everything frozen is thawed at the end.
    """

    def __init__(self, home: Home, faults: Sequence[Fault]) -> None:
        self.done: list[Injected] = []
        self.ended_s = 0.0
        self._home = home
        self._faults = sorted(faults, key=lambda fault: fault.at_s)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin now."""
        for loop in (self._inject, self._watch):
            self._threads.append(threading.Thread(target=loop, daemon=True))
            self._threads[-1].start()

    def join(self, timeout_s: float) -> None:
        """Wait until all faults of the plan are done and over; end it after so long."""
        end_s = time.monotonic() + timeout_s
        while self._threads[0].is_alive() or self._open():
            if time.monotonic() > end_s:
                break
            time.sleep(POLL_S)
        self.stop()

    def stop(self) -> None:
        """Do nothing more and thaw what is frozen."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _open(self) -> list[Injected]:
        return [each for each in self.done if each.over_s is None]

    def _inject(self) -> None:
        began_s = time.monotonic()
        for fault in self._faults:
            if self._stop.wait(max(0.0, began_s + fault.at_s - time.monotonic())):
                break
            with suppress(NotRunningError, ProcessLookupError):
                pid = self._home.running().pids().get(fault.target)
                if pid is not None:
                    self._do(fault, pid)
        for thread in self._threads[2:]:
            thread.join()
        self.ended_s = time.monotonic()

    def _do(self, fault: Fault, pid: int) -> None:
        match fault.kind:
            case Kind.KILL:
                os.kill(pid, signal.SIGKILL)
            case Kind.BACKEND:
                os.kill(max(_children(pid), default=pid), signal.SIGKILL)
            case Kind.FREEZE:
                family = [pid, *_children(pid)]
                _signal_all(family, signal.SIGSTOP)
                thaw = threading.Thread(target=self._thaw, args=(family, fault.lasts_s))
                self._threads.append(thread := thaw)
                thread.start()
        self.done.append(Injected(fault, time.monotonic()))

    def _thaw(self, family: Sequence[int], lasts_s: float) -> None:
        self._stop.wait(lasts_s)
        _signal_all(family, signal.SIGCONT)

    def _watch(self) -> None:
        """Note when the processes hit answer again."""
        while not self._stop.wait(POLL_S) or self._open():
            for injected in self._open():
                if self._is_over(injected):
                    injected.over_s = time.monotonic()
            if self._stop.is_set() and not self._threads[0].is_alive():
                return

    def _is_over(self, injected: Injected) -> bool:
        since_s = time.monotonic() - injected.began_s
        if injected.fault.kind is Kind.FREEZE and since_s < injected.fault.lasts_s:
            return self._stop.is_set()
        try:
            return answers(self._home.running(), injected.fault.target)
        except NotRunningError:
            return False


def answers(running: Running, label: str) -> bool:
    """Tell whether a process says that it is ready; servers say so by taking a connection."""
    if label in SERVERS:
        address = running.bootstrap if label == "kafka" else running.postgres_url
        return _takes_connections(address)
    url = (running.services | running.replicas)[label].url
    try:
        return httpx.get(f"{url}/health/ready", timeout=1.0, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _takes_connections(address: str) -> bool:
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1.0).close()
    except OSError:
        return False
    return True


def _signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _children(pid: int) -> list[int]:
    return list(_children_of(pid))


def _children_of(pid: int) -> Iterator[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return
    yield from map(int, text.split())
