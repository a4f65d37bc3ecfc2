"""A cache of loaded classes that halves a broker's start, made once per machine and Java.

Java 25 calls it an ahead-of-time cache (JEP 483, 514, 515): a broker runs once, and its exit
writes what was loaded, linked and profiled.
"""

import fcntl
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from embedded.jars import cache_folder, fetch
from embedded.kafka import Kafka, start_cache_path
from embedded.ports import free_ports
from embedded.processes import ServerProcess

STOP_TIMEOUT_S = 180


def train_in_background(class_path: Sequence[Path]) -> ServerProcess | None:
    """Start making the cache if there is none; ends with this process, then the next one tries."""
    if start_cache_path(class_path).exists():
        return None
    log = cache_folder() / "training.log"
    trainer = ServerProcess("training", log, signal.SIGKILL)
    code = f"from {__name__} import train; train()"
    trainer.start(["/usr/bin/env", "nice", "-n", "19", sys.executable, "-c", code])
    return trainer


def train() -> None:
    """Run a broker once and keep what it learned; about ten seconds of CPU and 62 MB of disk."""
    cache = cache_folder()
    class_path = fetch(cache)
    with (cache / "training").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        for abandoned in cache.glob("training-*/"):
            shutil.rmtree(abandoned, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="training-") as folder:
            port, controller_port = free_ports(2)
            kafka = Kafka(Path(folder), port, controller_port, class_path)
            made = Path(folder) / "made"
            kafka.process.death_signal = signal.SIGKILL  # nothing to save
            kafka.launch(f"-XX:AOTCacheOutput={made}")
            kafka.wait()
            kafka.process.stop(signal.SIGTERM, STOP_TIMEOUT_S)
            made.replace(start_cache_path(class_path))
