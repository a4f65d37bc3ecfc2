"""The AsyncAPI document says what a service reads and writes."""

from backbone_sample import COUNTS, back_consumer

from backbone.asyncapi import asyncapi


def test_channels_messages_and_payloads_are_those_of_the_wiring() -> None:
    document = asyncapi("back", back_consumer(), [COUNTS], "1.2")
    assert document["asyncapi"] == "3.0.0"
    assert document["info"] == {"title": "back", "version": "1.2"}
    channels = document["channels"]
    assert list(channels) == ["back.counts", "front.doors", "front.orders", "strangers.letters"]
    assert set(channels["front.orders"]["messages"]) == {"Placed", "Cancelled"}
    actions = {name: each["action"] for name, each in document["operations"].items()}
    assert actions["back.counts"] == "send"
    assert actions["front.orders"] == "receive"
    schemas = document["components"]["schemas"]
    assert schemas["Placed"]["properties"]["number"] == {"type": "integer"}
    assert "ce_sequence" in schemas["CloudEventsHeaders"]["properties"]


def test_the_document_is_the_same_every_time() -> None:
    first, second = (asyncapi("back", back_consumer(), [COUNTS], "1") for _ in range(2))
    assert first == second
    assert list(first["channels"]) == list(second["channels"])
