"""The nodes' side of a story: what warehouses and stores do with the parcels they are offered."""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from zlib import crc32

from contracts.ids import derive_id
from yipan.demo.story import Document, Fate, Step
from yipan.http import Services

BULK_COMMANDS = 300

_AFTER_ACCEPTANCE = (
    (Step.PICKED, "pick"),
    (Step.PACKED, "pack"),
    (Step.SHIPPED, "ship"),
)


@dataclass(slots=True)
class Parcel:
    """A parcel that a node was offered."""

    parcel_id: str
    order_id: str
    node_id: str
    attempt: int
    lines: Sequence[Document]


@dataclass(slots=True)
class Nodes:
    """Plays every node; `done` counts what was answered, `shipped` keeps parcels by order."""

    services: Services
    fates: Mapping[str, Fate]
    carrier_id: str
    done: Counter[str] = field(default_factory=Counter[str])
    shipped: dict[str, list[Parcel]] = field(default_factory=dict[str, list[Parcel]])
    _rejected: Counter[str] = field(default_factory=Counter[str])
    _due: list[tuple[datetime, int, str, Parcel]] = field(
        default_factory=list[tuple[datetime, int, str, Parcel]]
    )
    _tie: "count[int]" = field(default_factory=count)

    def take_offers(self, begun_at: Mapping[str, datetime]) -> int:
        """Answer every new offer and every wish to take units out; return how many there were.

        What an accepted parcel leads to is due at the order's own times, and no earlier than when
        the order was placed.
        """
        offers = self._list("released", "sent")
        commands = [self._answer(offer, begun_at) for offer in offers]
        commands += [self._judge(asked) for asked in self._list("picked", "cancel_requested")]
        self._send(commands)
        return len(commands)

    def work_until(self, moment: datetime | None) -> int:
        """Do all that is due by a moment of the story (None: ever); return how much it was."""
        commands: list[tuple[Document, Parcel]] = []
        while self._due and (moment is None or self._due[0][0] <= moment):
            due_at, _, action, parcel = heapq.heappop(self._due)
            commands.append((self._command(parcel, action, due_at), parcel))
        self._send(commands)
        return len(commands)

    def receive(self, parcel: Parcel, return_id: str, lines: Sequence[Document]) -> None:
        """Take units of a shipped parcel back, graded."""
        body = {
            "parcel_id": parcel.parcel_id,
            "action": "return",
            "attempt": parcel.attempt,
            "actor": f"demo-{parcel.node_id}",
            "node_id": parcel.node_id,
            "return_id": return_id,
            "lines": list(lines),
        }
        self._send([(body, parcel)])

    def _list(self, state: str, negotiation: str) -> list[Parcel]:
        items = self.services.pages("routing", "/parcels", state=state, negotiation=negotiation)
        return [_parcel(item) for item in items]

    def _judge(self, parcel: Parcel) -> tuple[Document, Parcel]:
        """Take units out of work that has begun at every second parcel, refuse at the others."""
        answer = self._command(parcel, "answer_cancel", None)
        return answer | {"accepted": crc32(parcel.parcel_id.encode()) % 2 == 0}, parcel

    def _answer(self, parcel: Parcel, begun_at: Mapping[str, datetime]) -> tuple[Document, Parcel]:
        fate, placed_at = self.fates[parcel.order_id], begun_at[parcel.order_id]
        if self._rejected[parcel.order_id] < fate.rejections:
            self._rejected[parcel.order_id] += 1
            return self._command(parcel, "reject", placed_at), parcel
        if fate.last_step is not Step.OFFERED:
            self._plan(parcel, fate, placed_at)
        return self._command(parcel, "accept", placed_at), parcel

    def _plan(self, parcel: Parcel, fate: Fate, placed_at: datetime) -> None:
        ship_at = fate.ship_at or placed_at
        due = {"pick": fate.pick_at or ship_at}
        for step, action in _AFTER_ACCEPTANCE:
            if step <= fate.last_step:
                self._push(due.get(action, ship_at), action, parcel)
        if fate.last_step >= Step.DELIVERED:
            self._push(fate.deliver_at or placed_at, "deliver", parcel)

    def _push(self, due_at: datetime, action: str, parcel: Parcel) -> None:
        heapq.heappush(self._due, (due_at, next(self._tie), action, parcel))

    def _command(self, parcel: Parcel, action: str, at: datetime | None) -> Document:
        command: Document = {
            "parcel_id": parcel.parcel_id,
            "action": action,
            "attempt": parcel.attempt,
            "actor": f"demo-{parcel.node_id}",
            "occurred_at": at.isoformat() if at else None,
        }
        match action:
            case "reject":
                command["reason"] = "no_capacity"
            case "pick" if self._is_short(parcel):
                command["found"] = _one_unit_less(parcel.lines)
            case "ship":
                command["carrier_id"] = self.carrier_id
                command["waybill"] = derive_id("demo-waybill", parcel.parcel_id)[:18]
            case _:
                pass
        return command

    def _is_short(self, parcel: Parcel) -> bool:
        return parcel.attempt == 1 and self.fates[parcel.order_id].short_pick

    def _send(self, commands: Sequence[tuple[Document, Parcel]]) -> None:
        for start in range(0, len(commands), BULK_COMMANDS):
            chunk = commands[start : start + BULK_COMMANDS]
            bodies = [command for command, _ in chunk]
            answer = self.services.post("routing", "/parcels/bulk", {"commands": bodies})
            for result, (command, parcel) in zip(answer["results"], chunk, strict=True):
                self._note(command["action"], result["verdict"], parcel)

    def _note(self, action: str, verdict: str, parcel: Parcel) -> None:
        self.done[f"{action} {verdict}"] += 1
        if action == "ship" and verdict == "applied":
            self.shipped.setdefault(parcel.order_id, []).append(parcel)


def _parcel(item: Document) -> Parcel:
    return Parcel(
        parcel_id=item["parcel_id"],
        order_id=item["order_id"],
        node_id=item["node_id"],
        attempt=item["attempt"],
        lines=item["lines"],
    )


def _one_unit_less(lines: Sequence[Document]) -> list[Document]:
    first, *others = (_line(line["line_id"], line["content_units"]) for line in lines)
    left = _line(first["line_id"], first["quantity_units"] - 1)
    return [line for line in (left, *others) if line["quantity_units"]]


def _line(line_id: str, quantity_units: int) -> Document:
    return {"line_id": line_id, "quantity_units": quantity_units}
