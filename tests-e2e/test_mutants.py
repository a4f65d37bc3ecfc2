"""Every fault that is built in is caught by the proof named for it."""

import os
import sys
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from prove import report
from prove.mutants import MUTANTS, OUT_OF_REACH, Mutant, is_caught
from prove.report import Caught
from testbed.servers import open_servers


@pytest.fixture(scope="module")
def variables() -> Generator[Mapping[str, str]]:
    """Servers that the services' proofs share, as the environment that names them."""
    with open_servers() as servers:
        yield {
            "YIPAN_STACK": "urls",
            "YIPAN_KAFKA_BOOTSTRAP": servers.bootstrap,
            "YIPAN_POSTGRES_URL": servers.admin_url,
        }


def test_mutants_have_names_of_their_own_and_texts_that_are_there(folder: Path) -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert not OUT_OF_REACH.keys() & {mutant.name for mutant in MUTANTS}
    for mutant in MUTANTS:
        file, _, name = mutant.proof.partition("::")
        assert f"def {name}(" in (folder / file).read_text(encoding="utf-8"), mutant.proof
        for edit in mutant.edits:
            text = (folder / mutant.package / edit.module).read_text(encoding="utf-8")
            assert text.count(edit.old) == 1, f"{mutant.name}: {edit.module}: {edit.old}"


@pytest.mark.prove
@pytest.mark.timeout(0)
def test_every_mutant_is_caught(folder: Path, tmp_path: Path, variables: Mapping[str, str]) -> None:
    """MUTANT=a,b tries those alone whose names contain one of the words."""
    words = os.environ.get("MUTANT", "").split(",")
    tried = [mutant for mutant in MUTANTS if any(word in mutant.name for word in words)]
    caught = [
        _try(mutant, folder, tmp_path / str(number), variables)
        for number, mutant in enumerate(tried)
    ]
    report.write(folder / "docs", mutants=caught)
    assert [each.mutant for each in caught if not each.caught] == []


def _try(mutant: Mutant, folder: Path, overlay: Path, variables: Mapping[str, str]) -> Caught:
    found = is_caught(mutant, folder, overlay, variables)
    sys.stderr.write(f"\n{'caught' if found else 'SURVIVED'}: {mutant.name}\n")
    return Caught(mutant.name, mutant.promise, mutant.proof, found)
