"""Jars come from the cache, whole and checked, or a message says what to do."""

from pathlib import Path

import pytest

from embedded import DownloadFailed, start
from embedded.jars import fetch, locked_jars

TOTAL_BYTES = 38_283_942
NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, NOWHERE)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_the_lock_holds_what_a_broker_needs() -> None:
    jars = locked_jars()
    assert len({jar.file_name for jar in jars}) == 32
    assert sum(jar.size_bytes for jar in jars) == TOTAL_BYTES


@pytest.mark.usefixtures("unreachable")
def test_an_empty_cache_without_a_network_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIPAN_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DownloadFailed) as failure:
        start(tmp_path / "stack")
    text = str(failure.value)
    assert "32 of 32 jars could not be fetched" in text
    assert "org.apache.kafka:kafka-clients:4.3.1" in text
    assert "run the same command again" in text
    assert "YIPAN_KAFKA_BOOTSTRAP" in text
    assert not (tmp_path / "stack").exists()


@pytest.mark.usefixtures("unreachable")
def test_a_full_cache_needs_no_network(full_cache: Path) -> None:
    assert all(jar.is_relative_to(full_cache) for jar in fetch(full_cache))


@pytest.mark.usefixtures("unreachable")
def test_only_the_missing_jar_is_asked_for_and_the_others_are_kept(full_cache: Path) -> None:
    missing = full_cache / "kafka-4.3.1" / "kafka-raft-4.3.1.jar"
    missing.unlink()
    with pytest.raises(DownloadFailed, match=r"1 of 32 jars .*\n  org.apache.kafka:kafka-raft:"):
        fetch(full_cache)
    assert len(list(missing.parent.glob("*.jar"))) == 31
    assert not list(missing.parent.glob("partial-*"))


def test_a_damaged_jar_is_fetched_again(full_cache: Path) -> None:
    damaged = full_cache / "kafka-4.3.1" / "slf4j-simple-1.7.36.jar"
    whole = damaged.read_bytes()
    damaged.write_bytes(bytes(len(whole)))
    steps: list[tuple[int, int]] = []
    fetch(full_cache, lambda done_bytes, total_bytes: steps.append((done_bytes, total_bytes)))
    assert damaged.read_bytes() == whole
    assert steps == [(TOTAL_BYTES - len(whole), TOTAL_BYTES), (TOTAL_BYTES, TOTAL_BYTES)]


@pytest.mark.usefixtures("unreachable")
def test_a_damaged_jar_is_never_run(full_cache: Path) -> None:
    damaged = full_cache / "kafka-4.3.1" / "slf4j-simple-1.7.36.jar"
    damaged.write_bytes(bytes(damaged.stat().st_size))
    with pytest.raises(DownloadFailed, match="slf4j-simple"):
        fetch(full_cache)
