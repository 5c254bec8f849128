"""What a rule left out once it had seen the pixels: remembered, so that a repeat need not look.

``split.csv`` says why; what the sample was made from stands in a file beside it, which exists only
where there is such a sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sensor2sensor.core import files
from sensor2sensor.core.cli import StepReport
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.ledger import SplitRow
from sensor2sensor.sources.source import Item, Listing, Source, folder_of
from sensor2sensor.sources.writer.existing import LEFT_OUT_FILE, Existing, There
from sensor2sensor.sources.writer.samples import source_key


def remembered(
    source: Source, data_root: Path, there: There, items: Iterable[Item]
) -> dict[str, str]:
    """Samples that are left out again without a look, and why: equal inputs in every sibling."""
    kept = [(draft, there.kept.get(folder_of(data_root, draft))) for draft in source.drafts]
    found = {}
    for item in items:
        reasons = {_reason(source, item, draft, one) for draft, one in kept}
        if len(reasons) == 1 and (reason := reasons.pop()) is not None:
            found[item.name] = reason
    return found


def _reason(
    source: Source, item: Item, draft: DatasetContract, there: Existing | None
) -> str | None:
    noted = there.left_out.get(item.name) if there is not None else None
    if noted is None or noted["key"] != source_key(source, item, draft):
        return None
    return noted["reason"]


def remember(
    source: Source, data_root: Path, there: There, listing: Listing, left_out: Mapping[str, str]
) -> None:
    """Note in every sibling what is left out of a listing; other listings' notes stay."""
    items = [item for item in listing.items if item.name in left_out]
    for draft in source.drafts:
        folder = folder_of(data_root, draft)
        item = there.kept.get(folder)
        before = dict(item.left_out) if item is not None else {}
        others = {row.name for row in item.kept_rows(listing.name)} if item is not None else set()
        noted = {name: note for name, note in before.items() if name in others}
        for one in items:
            key = source_key(source, one, draft)
            noted[one.name] = {"key": key, "reason": left_out[one.name]}
        if not noted:
            files.remove(folder / LEFT_OUT_FILE)
        elif noted != before:
            files.write_json(folder / LEFT_OUT_FILE, dict(sorted(noted.items())))


def tell(listing: Listing, count: int, report: StepReport) -> None:
    """Say how many samples are left out: they are neither done nor there nor failed."""
    if count:
        tiles = "tile" if count == 1 else "tiles"
        report.note(f"{count} {tiles} left out by {listing.left_out_by} once read")


def tell_doubles(name: str, rows: Sequence[SplitRow], report: StepReport) -> None:
    """Say how many tiles of a listing are another one's as well: each of them counts once.

    Args:
        name: The listing's.
        rows: Lines of a table; those of other listings are passed over.
        report: Where to say so.
    """
    own = [row for row in rows if row.inventory == name]
    doubles = sorted((row.name, row.double_of) for row in own if row.double_of)
    if doubles:
        one, other = doubles[0]
        what = (
            f"{len(doubles)} of {len(own)} tiles are in the data set already, by other inventories"
        )
        report.note(
            f"{name}: {what}: left out, each counts once (first of them {one}, which is {other})"
        )
