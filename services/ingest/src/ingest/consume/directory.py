"""Reference data: kept by version, and what was waiting for it is looked at again."""

from collections.abc import Sequence
from datetime import datetime

from backbone import Batch, Transaction
from contracts.entries import AgreementDefined, GoodsDefined, ListingDefined, ShopDefined
from contracts.event import Event
from contracts.topics import DIRECTORY_ENTRIES
from ingest.consume.binding import consumer
from ingest.store import terms

Entry = ShopDefined | ListingDefined | GoodsDefined | AgreementDefined


@consumer.on(DIRECTORY_ENTRIES, ShopDefined, ListingDefined, GoodsDefined, AgreementDefined)
async def keep_entries(batch: Batch[Entry], tx: Transaction) -> Sequence[Event]:
    """Store shops, listings, goods and agreements; mark the quarantined orders that lack them."""
    shops = [event for event in batch.events if isinstance(event, ShopDefined)]
    listings = [event for event in batch.events if isinstance(event, ListingDefined)]
    goods = [event for event in batch.events if isinstance(event, GoodsDefined)]
    agreements = [event for event in batch.events if isinstance(event, AgreementDefined)]
    await terms.lock_directory(tx)
    await terms.save_shops(tx, shops)
    await terms.save_listings(tx, listings)
    await terms.save_goods(tx, goods)
    await terms.save_agreements(tx, agreements)
    await _recheck(tx, batch.events, batch.now)
    return []


async def _recheck(tx: Transaction, entries: Sequence[Entry], now: datetime) -> None:
    goods_ids = {entry.goods_id for entry in entries if isinstance(entry, GoodsDefined)}
    awaited = set(await terms.find_listings_of(tx, goods_ids)) if goods_ids else set[str]()
    for entry in entries:
        match entry:
            case ShopDefined() | ListingDefined():
                awaited.add(entry.entry_id)
            case AgreementDefined():
                awaited.add(f"agreement/{entry.agreement_id}")
            case GoodsDefined():
                pass
    await terms.mark_awaiting(tx, awaited)
    await terms.clear_alarms(tx, awaited, now)
