"""YAML and CSV as trees of text that remember their lines; what they mean is decided later.

Reading events instead of objects keeps lines, refuses aliases (which grow exponentially), tags and
doubled keys, and leaves `no`, `0123` and `16:00` the text that the author wrote.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TypeAlias, final

import yaml

DEPTH_MAX_COUNT = 8
FAULTS_MAX = 100
LISTS = "|"  # between the values of a list in one cell
PAIRS = ":"  # between the two values of a part or a price


@final
@dataclass(frozen=True, slots=True)
class Scalar:
    """A text; a plain one (not quoted) may mean a number, a truth value or nothing."""

    text: str
    line: int
    is_plain: bool = True


@final
@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    nodes: Sequence["Node"]
    line: int


@final
@dataclass(frozen=True, slots=True)
class Fields:
    """Named values, each with the line of its name."""

    nodes: dict[str, "Node"]
    lines: dict[str, int]
    line: int


Node: TypeAlias = Scalar | Items | Fields


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a file, and in which line."""

    line: int
    message: str


class Unreadable(Exception):  # noqa: N818 a verdict on the file
    """A file whose lines cannot be told apart into values."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__(flaws[0].message)
        self.flaws = flaws[:FAULTS_MAX]


def read_yaml(content: bytes) -> list[Node]:
    """Return the documents of a YAML stream; raises Unreadable."""
    builder = _Builder()
    try:
        for event in yaml.parse(content, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        line = 1 if error.problem_mark is None else error.problem_mark.line + 1
        raise Unreadable([Flaw(line, f"this is not YAML: {error.problem}")]) from None
    except yaml.YAMLError:
        raise Unreadable([Flaw(1, "this is not YAML in UTF-8")]) from None
    if builder.flaws:
        raise Unreadable(builder.flaws)
    return builder.documents


def read_csv(content: bytes, pairs: Sequence[tuple[str, tuple[str, str]]]) -> list[Fields]:
    """Return the rows of a CSV file with a header; raises Unreadable.

    An empty cell is a value that was left out. `pairs` names the columns that hold lists of two
    values each, and how those are called.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable([Flaw(1, "this is not CSV in UTF-8")]) from None
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    no_cells: list[str] = []
    try:
        header = next(reader, no_cells)
        if not header or len(set(header)) < len(header):
            raise Unreadable([Flaw(1, "the first line must name each column once")])
        rows: list[Fields] = []
        line = reader.line_num + 1  # where the row begins: a quoted cell may span several
        for cells in reader:
            if cells:
                rows.append(_row(header, cells, line, dict(pairs)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise Unreadable([Flaw(reader.line_num, f"this is not CSV: {error}")]) from None
    return rows


def _row(
    header: Sequence[str], cells: Sequence[str], line: int, pairs: dict[str, tuple[str, str]]
) -> Fields:
    if len(cells) != len(header):
        message = f"the row has {len(cells)} cells, the header {len(header)}"
        raise Unreadable([Flaw(line, message)])
    nodes: dict[str, Node] = {
        name: _cell(text, line, pairs.get(name))
        for name, text in zip(header, cells, strict=True)
        if text
    }
    return Fields(nodes, dict.fromkeys(header, line), line)


def _cell(text: str, line: int, pair: tuple[str, str] | None) -> Node:
    if pair is None:
        return Scalar(text, line)
    items: list[Node] = []
    for each in text.split(LISTS):
        first, _, second = each.rpartition(PAIRS)
        nodes: dict[str, Node] = {pair[0]: Scalar(first, line), pair[1]: Scalar(second, line)}
        items.append(Fields(nodes, dict.fromkeys(nodes, line), line))
    return Items(items, line)


class _Builder:
    """Makes trees from the events of a YAML parser."""

    def __init__(self) -> None:
        self.documents: list[Node] = []
        self.flaws: list[Flaw] = []
        self._open: list[_Open] = []

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        match event:
            case yaml.ScalarEvent():
                self._check(event, line)
                self._put(Scalar(event.value, line, is_plain=event.implicit[0]), line)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._check(event, line)
                if len(self._open) >= DEPTH_MAX_COUNT:
                    message = f"nested deeper than {DEPTH_MAX_COUNT}"
                    raise Unreadable([*self.flaws, Flaw(line, message)])
                self._open.append(_Open(line, isinstance(event, yaml.MappingStartEvent)))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                done = self._open.pop()
                self._put(done.node(), done.line)
            case yaml.AliasEvent():
                self.flaws.append(Flaw(line, "aliases are not taken"))
                self._put(Scalar("", line), line)
            case _:
                pass

    def _put(self, node: Node, line: int) -> None:
        if not self._open:
            self.documents.append(node)
            return
        message = self._open[-1].put(node, line)
        if message is not None:
            self.flaws.append(Flaw(line, message))

    def _check(self, event: yaml.NodeEvent, line: int) -> None:
        if event.anchor is not None or getattr(event, "tag", None) is not None:
            self.flaws.append(Flaw(line, "anchors and tags are not taken"))


class _Open:
    """A list or mapping whose end has not come yet."""

    def __init__(self, line: int, is_mapping: bool) -> None:  # noqa: FBT001 private
        self.line = line
        self._is_mapping = is_mapping
        self._items: list[Node] = []
        self._fields: dict[str, Node] = {}
        self._lines: dict[str, int] = {}
        self._name: str | None = None

    def put(self, node: Node, line: int) -> str | None:
        """Take a value or the name of one; tell what is wrong with it."""
        if not self._is_mapping:
            self._items.append(node)
            return None
        if self._name is None:
            self._name = node.text if isinstance(node, Scalar) else ""
            is_doubled = self._name in self._lines
            self._lines[self._name] = line
            return f"{self._name[:64]!r} comes twice" if is_doubled else None
        self._fields[self._name] = node
        self._name = None
        return None

    def node(self) -> Node:
        """Return it whole."""
        if self._is_mapping:
            return Fields(self._fields, self._lines, self.line)
        return Items(self._items, self.line)
