"""What is generated from the contracts: committed, complete, and true of the examples."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from contracts import schema
from contracts.topics import EVENTS, TOPICS, topic_of

GOLDEN = Path(__file__).parents[1] / "golden"


def test_the_committed_files_are_what_the_contracts_say() -> None:
    assert not schema.differences(schema.FOLDER), "run `python -m contracts.schema write`"


def test_checking_shows_what_differs_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "FOLDER", tmp_path)
    assert schema.main(["write"]) == 0
    assert schema.main(["check"]) == 0
    assert capsys.readouterr().out == ""
    file = tmp_path / "StockShort" / "1.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"attempt"', '"trial"'), "utf-8")
    assert schema.main(["check"]) == 1
    diff = capsys.readouterr().out
    assert "--- committed/StockShort/1.json" in diff
    assert '-    "trial": {' in diff
    assert '+    "attempt": {' in diff


def test_schemas_of_no_event_are_found_and_removed(tmp_path: Path) -> None:
    for path in ("Forgotten/1.json", "StockShort/2.json"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("{}\n", "utf-8")
    diff = "\n".join(schema.differences(tmp_path))
    assert "--- committed/Forgotten/1.json" in diff
    assert "--- committed/StockShort/2.json" in diff
    schema.write(tmp_path)
    assert not schema.differences(tmp_path)


@pytest.mark.parametrize("name", EVENTS)
def test_every_name_that_a_schema_refers_to_is_defined_in_it(name: str) -> None:
    document = schema.json_schema(EVENTS[name])
    used = set(re.findall(r"#/\$defs/(\w+)", json.dumps(document)))
    assert used == set(document.get("$defs", ()))


@pytest.mark.parametrize("name", EVENTS)
def test_a_schema_names_every_field_of_the_example(name: str) -> None:
    document = schema.json_schema(EVENTS[name])
    example = json.loads((GOLDEN / name / "1.json").read_text("utf-8"))
    assert set(document["properties"]) >= set(example)
    assert set(document["required"]) <= set(example)


def test_instants_and_days_say_so() -> None:
    statement = schema.json_schema(EVENTS["StatementIssued"])["properties"]
    assert statement["occurred_at"] == {"type": "string", "format": "date-time"}
    assert statement["period_start"] == {"type": "string", "format": "date"}
    agreement = schema.json_schema(EVENTS["AgreementDefined"])["properties"]
    assert {"type": "string", "format": "date-time"} in agreement["valid_to"]["anyOf"]


def test_the_asyncapi_document_has_every_topic_with_its_partitions_and_messages() -> None:
    document = schema.asyncapi()
    assert document["channels"].keys() == TOPICS.keys()
    for topic in TOPICS.values():
        channel: dict[str, Any] = document["channels"][topic.name]
        assert channel["bindings"]["kafka"]["partitions"] == topic.partitions
        assert list(channel["messages"]) == [each.__name__ for each in topic.events]


@pytest.mark.parametrize("name", EVENTS)
def test_a_message_says_its_key_headers_and_payload(name: str) -> None:
    components = schema.asyncapi()["components"]
    message = components["messages"][name]
    topic = topic_of(EVENTS[name])
    headers = message["headers"]["properties"]
    assert headers["ce_type"] == {"const": name}
    assert headers["ce_source"] == {"const": f"yipan/{topic.producer}"}
    assert headers["ce_dataschema"] == {"const": f"{name}/{EVENTS[name].version}"}
    assert message["bindings"]["kafka"]["key"]["description"].startswith(topic.key)
    assert message["summary"]
    assert message["payload"]["$ref"].rpartition("/")[2] in components["schemas"]


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = schema.asyncapi()
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        target: Any = document
        for step in reference.split("/"):
            target = target[step]
