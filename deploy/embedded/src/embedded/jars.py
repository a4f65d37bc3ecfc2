"""Kafka's jars: fetched once into the user's cache, each checked against the committed lock."""

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import DownloadFailed

LOCK = Path(__file__).with_name("kafka.lock")
KAFKA_VERSION = "4.3.1"
DOWNLOADS_MAX = 8
TIMEOUT_S = 20
MEGABYTE = 1_000_000

OnFetched = Callable[[int, int], None]
"""Called with (bytes in the cache, bytes of all jars) before the download and after each jar."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock: a Maven coordinate, what its file hashes to, how long it is."""

    coordinate: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self) -> str:
        """The name of the file, as Maven forms it."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    def is_in(self, folder: Path) -> bool:
        """Tell whether the folder holds exactly this file."""
        path = folder / self.file_name
        if not path.exists() or path.stat().st_size != self.size_bytes:
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def cache_folder() -> Path:
    """Return where downloads are kept: YIPAN_CACHE, or `yipan` in the user's cache folder."""
    named = os.environ.get("YIPAN_CACHE")
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(named) if named else Path(caches) / "yipan"


def locked_jars() -> list[Jar]:
    """Return the jars of the committed lock, in the order of the class path."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return [Jar(coordinate, sha256, int(size)) for coordinate, sha256, size in rows]


def print_progress(done_bytes: int, total_bytes: int) -> None:
    """Tell the person at the terminal how far the download is; a log gets its ends alone."""
    in_place = sys.stderr.isatty()
    if in_place or done_bytes in (0, total_bytes):
        done_mb, total_mb = done_bytes // MEGABYTE, total_bytes // MEGABYTE
        end = "\r" if in_place and done_bytes < total_bytes else "\n"
        sys.stderr.write(f"fetching Kafka {KAFKA_VERSION}: {done_mb} of {total_mb} MB{end}")
        sys.stderr.flush()


def fetch(cache: Path, on_fetched: OnFetched = print_progress) -> list[Path]:
    """Return the paths of all jars, downloading those the cache lacks or holds damaged.

    Jars already in the cache are kept whatever happens, so an interrupted download goes on where
    it stopped, and a full cache needs no network. Safe to call from several processes at once.

    Raises:
        DownloadFailed: a jar could not be had, or is not the one of the lock.
    """
    folder = cache / f"kafka-{KAFKA_VERSION}"
    jars = locked_jars()
    if any(not jar.is_in(folder) for jar in jars):
        folder.mkdir(parents=True, exist_ok=True)
        with only_one_process(folder / "fetching"):
            for abandoned in folder.glob("partial-*"):
                shutil.rmtree(abandoned)
            _download([jar for jar in jars if not jar.is_in(folder)], folder, on_fetched)
    return [folder / jar.file_name for jar in jars]


@contextmanager
def only_one_process(lock: Path) -> Generator[None]:
    """Hold a lock that other processes of this machine wait for."""
    with lock.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(missing: Sequence[Jar], folder: Path, on_fetched: OnFetched) -> None:
    total_bytes = sum(jar.size_bytes for jar in locked_jars())
    done_bytes = total_bytes - sum(jar.size_bytes for jar in missing)
    causes: dict[str, str] = {}
    on_fetched(done_bytes, total_bytes)
    # Beside the cache, so that a finished file moves into it in one step.
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="partial-") as partial,
        ThreadPoolExecutor(DOWNLOADS_MAX) as pool,
    ):
        futures: dict[Future[None], Jar] = {
            pool.submit(_download_one, jar, Path(partial), folder): jar for jar in missing
        }
        for future in as_completed(futures):
            jar, error = futures[future], future.exception()
            if error is None:
                done_bytes += jar.size_bytes
                on_fetched(done_bytes, total_bytes)
            else:
                causes[jar.coordinate] = str(error)
    if causes:
        raise DownloadFailed(_explain(causes, len(locked_jars()), folder))


def _download_one(jar: Jar, partial: Path, folder: Path) -> None:
    # Imported when needed: it takes half a second, and a full cache does not need it.
    from jgo.maven import MavenContext  # noqa: PLC0415

    group, artifact, version = jar.coordinate.split(":")
    maven = MavenContext(repo_cache=partial, timeout=TIMEOUT_S)
    path = maven.project(group, artifact).at_version(version).artifact().resolve()
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise DownloadFailed(f"sha256 is {found}, kafka.lock says {jar.sha256}")
    path.replace(folder / jar.file_name)


def _explain(causes: dict[str, str], jars_count: int, folder: Path) -> str:
    first = next(iter(causes))
    names = "\n".join(f"  {coordinate}" for coordinate in sorted(causes))
    return f"""\
Kafka {KAFKA_VERSION} is not complete: {len(causes)} of {jars_count} jars could not be fetched \
from Maven Central.
{names}
Cause ({first}): {causes[first]}
What was fetched is kept: run the same command again once the network answers. Behind a proxy set \
HTTPS_PROXY. Without a network copy {folder} from another machine, or use a broker and a database \
of your own: YIPAN_KAFKA_BOOTSTRAP and YIPAN_POSTGRES_URL."""
