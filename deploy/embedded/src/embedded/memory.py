"""How much memory a process may still take on this machine or in this container."""

from pathlib import Path

from embedded.errors import StackError

MEGABYTE = 1024 * 1024
CGROUP = Path("/sys/fs/cgroup")


def available_mb() -> int:
    """Return the smaller of what the machine and what the container have left, in MiB."""
    fields = dict(
        line.split(":", 1)
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    )
    machine_mb = int(fields["MemAvailable"].split()[0]) // 1024
    return min(machine_mb, _container_mb(machine_mb))


def require(needed_mb: int) -> None:
    """Refuse to start what would be killed for lack of memory a minute later.

    Raises:
        StackError: less than `needed_mb` MiB are left.
    """
    left_mb = available_mb()
    if left_mb < needed_mb:
        raise StackError(
            f"Kafka and PostgreSQL need about {needed_mb} MB of memory; {left_mb} MB are free. "
            "Stop something else, or give Kafka a smaller heap (kafka_heap_mb)."
        )


def _container_mb(otherwise_mb: int) -> int:
    limit = CGROUP / "memory.max"
    if not limit.exists() or limit.read_text(encoding="ascii").strip() == "max":
        return otherwise_mb
    used_bytes = int((CGROUP / "memory.current").read_text(encoding="ascii"))
    statistics = (CGROUP / "memory.stat").read_text(encoding="ascii").split()
    # Cached files count as used there, but make room when asked.
    cached_bytes = int(statistics[statistics.index("inactive_file") + 1])
    left_bytes = int(limit.read_text(encoding="ascii")) - used_bytes + cached_bytes
    return left_bytes // MEGABYTE
