"""Files in: what the rows of a YAML or CSV file say, each fault with its line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec
from pydantic import BaseModel, ValidationError

from directory.api.outline import (
    FAULTS_MAX,
    LISTS,
    Fields,
    Flaw,
    Items,
    Node,
    Scalar,
    Unreadable,
    read_csv,
    read_yaml,
)
from directory.api.sections import SECTIONS, Section
from directory.model import Draft, key_of

ROWS_MAX = 50_000
PAIRS = (("parts", ("goods_id", "units_each")), ("supply_prices", ("goods_id", "price_minor")))
INTEGER = re.compile(r"-?[0-9]{1,18}\Z")
DECIMAL = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}\Z")
NOTHING = frozenset({"", "null", "~"})
TRUTHS = {"true": True, "false": False}

Schema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Row:
    section: Section
    fields: Fields


def drafts_of_yaml(content: bytes) -> list[Draft]:
    """Return what the sections of a YAML file define; raises Unreadable with every flaw."""
    flaws: list[Flaw] = []
    rows: list[_Row] = []
    for document in read_yaml(content):
        for found in _rows(document):
            if isinstance(found, Flaw):
                flaws.append(found)
            else:
                rows.append(found)
    return _drafts(rows, flaws)


def drafts_of_csv(content: bytes, section: Section) -> list[Draft]:
    """Return what the rows of a CSV file define; raises Unreadable with every flaw."""
    rows = [_Row(section, fields) for fields in read_csv(content, PAIRS)]
    return _drafts(rows, [])


def _rows(document: Node) -> Iterator[_Row | Flaw]:
    if not isinstance(document, Fields):
        yield Flaw(document.line, f"a document names sections: {', '.join(SECTIONS)}")
        return
    for name, node in document.nodes.items():
        section = SECTIONS.get(name)
        if section is None:
            message = f"there is no section {name[:64]!r}, but {', '.join(SECTIONS)}"
            yield Flaw(document.lines[name], message)
        elif not isinstance(node, Items):
            yield Flaw(node.line, f"{name} must be a list")
        else:
            for row in node.nodes:
                is_row = isinstance(row, Fields)
                yield _Row(section, row) if is_row else Flaw(row.line, "this is no set of fields")


def _drafts(rows: Sequence[_Row], flaws: list[Flaw]) -> list[Draft]:
    if len(rows) > ROWS_MAX:
        raise Unreadable([Flaw(1, f"the file has {len(rows)} rows; at most {ROWS_MAX} are taken")])
    drafts: list[Draft] = []
    for row in rows:
        try:
            drafts.append(_draft(row))
        except ValidationError as error:
            flaws.extend(_flaws(error, row.fields))
        if len(flaws) >= FAULTS_MAX:
            break
    if flaws:
        raise Unreadable(sorted(flaws, key=lambda flaw: flaw.line))
    return drafts


def _draft(row: _Row) -> Draft:
    model = row.section.row
    schema = _SCHEMAS[model]
    said = msgspec.json.encode(_value(row.fields, schema, schema.get("$defs", {})))
    definition = model.model_validate_json(said, strict=True).definition()
    return Draft(key_of(definition), definition, row.fields.line)


def _flaws(error: ValidationError, fields: Fields) -> Iterator[Flaw]:
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        path = found["loc"]
        where = ".".join(map(str, path))
        yield Flaw(line_of(fields, path), f"{where}: {found['msg']}" if where else found["msg"])


def line_of(fields: Fields, path: Sequence[int | str]) -> int:
    """Return the line of a field within a row, or of the nearest thing around it."""
    node: Node = fields
    line = fields.line
    for step in path:
        name = str(step)
        if isinstance(node, Fields) and name in node.nodes:
            line, node = node.lines[name], node.nodes[name]
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.nodes):
            node = node.nodes[step]
            line = node.line
        else:
            break
    return line


def _value(node: Node, schema: Schema, definitions: Schema) -> object:
    """Give a text the type that its field wants; what does not fit stays text and is refused."""
    schema = _resolved(schema, definitions)
    match node:
        case Fields():
            properties = schema.get("properties", {})
            return {
                name: _value(below, properties.get(name, {}), definitions)
                for name, below in node.nodes.items()
            }
        case Items():
            item = schema.get("items", {})
            return [_value(below, item, definitions) for below in node.nodes]
        case Scalar():
            if schema.get("type") == "array" and node.is_plain:
                item = schema.get("items", {})
                texts = node.text.split(LISTS)
                return [_value(Scalar(text, node.line), item, definitions) for text in texts]
            return _scalar(node, schema)


def _scalar(scalar: Scalar, schema: Schema) -> object:
    wanted, text = schema.get("type"), scalar.text
    if not scalar.is_plain:
        return text
    if text in NOTHING and schema.get("nullable"):
        return None
    if wanted in {"integer", "number"} and INTEGER.match(text):
        return int(text)
    if wanted == "number" and DECIMAL.match(text):
        return float(text)
    return TRUTHS.get(text, text) if wanted == "boolean" else text


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    """Follow a reference, and turn `X or null` into X that may be null."""
    if "anyOf" in schema:
        options = [each for each in schema["anyOf"] if each.get("type") != "null"]
        return {**_resolved(options[0], definitions), "nullable": True}
    if "$ref" in schema:
        return definitions[schema["$ref"].rpartition("/")[2]]
    return schema


_SCHEMAS: Mapping[type[BaseModel], Schema] = {
    section.row: section.row.model_json_schema() for section in SECTIONS.values()
}
