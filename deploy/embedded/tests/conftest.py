"""A cache of a test's own."""

import shutil
from pathlib import Path

import pytest

from embedded.jars import cache_folder, fetch


@pytest.fixture
def full_cache(tmp_path: Path) -> Path:
    """Return a cache with every jar in it, which the test may damage."""
    cache = tmp_path / "cache"
    for jar in fetch(cache_folder()):
        target = cache / jar.relative_to(cache_folder())
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(jar, target)
    return cache
