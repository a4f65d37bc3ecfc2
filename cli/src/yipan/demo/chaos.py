"""Kills random processes of a running installation, at an interval, until told to stop."""

import os
import random
import signal
import threading
from collections import Counter

from yipan.home import Home, NotRunningError


class Chaos:
    """Ends one process after the other with SIGKILL while the block runs; `kills` counts by name.

    Which process dies when follows from the seed and the interval. The supervisor itself is spared:
    it is what starts the others again.
    """

    def __init__(self, home: Home, every_s: float, seed: int) -> None:
        self.kills: Counter[str] = Counter()
        self._home = home
        self._every_s = every_s
        self._chance = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos", daemon=True)

    def start(self) -> None:
        """Begin after the first interval."""
        self._thread.start()

    def stop(self) -> None:
        """Kill nothing any more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                pids = self._home.running().pids()
            except NotRunningError:
                return
            name = self._chance.choice(sorted(pids))
            try:
                os.kill(pids[name], signal.SIGKILL)
            except ProcessLookupError:
                continue  # it is just being started again
            self.kills[name] += 1
