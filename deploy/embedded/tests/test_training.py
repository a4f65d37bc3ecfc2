"""The start cache is made once, whole, and used by the next broker."""

from pathlib import Path

import pytest

from embedded import KafkaOptions, start
from embedded.jars import fetch
from embedded.kafka import start_cache_path
from embedded.training import train, train_in_background


def test_a_broker_starts_from_what_another_one_learned(
    full_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIPAN_CACHE", str(full_cache))
    start_cache = start_cache_path(fetch(full_cache))
    train()
    assert start_cache.is_relative_to(full_cache)
    assert start_cache.stat().st_size > 1_000_000
    assert not list(full_cache.glob("training-*"))
    assert train_in_background(fetch(full_cache)) is None
    with start(tmp_path / "stack", kafka=KafkaOptions(heap_mb=192)) as stack:
        command = Path(f"/proc/{stack.kafka.pid}/cmdline").read_text()
        assert f"-XX:AOTCache={start_cache}" in command
        assert "aot" not in (stack.root / "kafka" / "log").read_text().lower()
