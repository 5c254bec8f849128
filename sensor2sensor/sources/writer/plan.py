"""Which sample goes to which split, and why some go to none: worked out before anything is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.names import suggestion
from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.dataset.ledger import DROPPED, SplitRow, double_reason
from sensor2sensor.dataset.splits import SplitRule, require_all
from sensor2sensor.sources.source import Item, Listing


@dataclass(frozen=True)
class Plan:
    """Where every item of a listing goes.

    Attributes:
        listing: The items, as they are made in their splits.
        rule: How they were split.
        deciding: By name, what decides on the split of an item: its units and, by block, those
            within its guard.
        rows: By name, its line of ``split.csv``, still without the place of a record.
    """

    listing: Listing
    rule: SplitRule
    deciding: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, SplitRow]

    def inside(self, split: str) -> list[Item]:
        """The items of a split, by name."""
        return [item for item in self.listing.items if self.rows[item.name].split == split]

    def counts(self) -> Counter[str]:
        """Items in each split, and those dropped."""
        return Counter(row.split for row in self.rows.values())


def plan_splits(listing: Listing, rule: SplitRule) -> Plan:
    """Give every item its split; nothing is read or written."""
    deciding = {item.name: rule.guarded(item.place, item.unit) for item in listing.items}
    listing = _kept_apart(listing, rule, deciding)
    rows = {i.name: _row(i, listing.name, rule, deciding[i.name]) for i in listing.items}
    return Plan(listing, rule, deciding, rows)


def _kept_apart(
    listing: Listing, rule: SplitRule, deciding: Mapping[str, tuple[str, ...]]
) -> Listing:
    """The listing with what stands for items of train whose input is of another split's ground."""

    def shared(item: Item) -> bool:
        own = deciding[item.name]
        if item.train_place is None or item.left_out or rule.split_of(own) != "train":
            return False
        return rule.split_of((*own, *rule.guarded(item.train_place, item.unit))) == DROPPED

    stand_ins = {item.name: item.instead for item in listing.items if shared(item)}
    if not stand_ins:
        return listing
    items = tuple(stand_ins.get(item.name) or item for item in listing.items)
    told = f"{len(stand_ins)} of train keep their inputs as they come: aligned ones would be of"
    return replace(listing, items=items, notes=(*listing.notes, f"{told} another split's ground"))


def _row(item: Item, inventory: str, rule: SplitRule, deciding: tuple[str, ...]) -> SplitRow:
    # The table names the ground of the item itself: what is added later must not be bound by what
    # lay in its guard only.
    units = rule.units(item.place, item.unit)
    reason = item.left_out or rule.between(units, deciding)
    place = item.place
    return SplitRow(
        name=item.name,
        split=DROPPED if reason else rule.split_of(deciding),
        block="+".join(units),
        scene=item.scene,
        inventory=inventory,
        file="",
        record=0,
        offset=0,
        length=0,
        sha256="",
        source_sha256=item.source_sha256,
        epsg=None if place is None else place.epsg,
        ulx_m=None if place is None else place.ulx_m,
        uly_m=None if place is None else place.uly_m,
        time_gap_h=item.time_gap_h,
        shift_m=item.shift_m,
        incomplete_blocks=0,
        reason=reason or item.remark,
        overpass=item.overpass,
    )


def without_doubles(plan: Plan, kept: Sequence[SplitRow]) -> Plan:
    """The plan without the tiles that other listings have in a split already: each counts once.

    Args:
        plan: Of a listing.
        kept: Lines of other listings that the data set holds.
    """
    held = {look: row.name for row in kept if row.split in SPLITS for look in row.looks}
    rows = dict(plan.rows)
    for name, row in plan.rows.items():
        other = next((held[look] for look in row.looks if look in held), None)
        if other is not None and row.split in SPLITS:
            rows[name] = replace(row, split=DROPPED, reason=double_reason(other))
    return replace(plan, rows=rows)


def with_given_splits(listing: Listing, bound: Mapping[str, str]) -> dict[str, str]:
    """The split of each unit as its items name it, and those bound already.

    Raises:
        DatasetError: An item names none, or a unit is in two splits, which would show in training
            what is tested.
    """
    given = dict(bound)
    for item in (one for one in listing.items if not one.left_out):
        if item.split not in SPLITS:
            hint = suggestion(item.split or "", SPLITS)
            raise DatasetError(f"has no split '{item.split}'", where=item.name, hint=hint)
        if given.setdefault(item.unit, item.split) != item.split:
            raise DatasetError(
                f"unit '{item.unit}' is in two given splits: {given[item.unit]} and {item.split}",
                where=item.name,
                hint="whatever is of one place belongs to one split",
            )
    return given


def require_splits(plan: Plan, kept: Sequence[SplitRow], dataset: str) -> None:
    """Refuse an empty split before anything is written.

    Args:
        plan: Of the listing.
        kept: Lines of other listings that the data set holds already.
        dataset: Its name, for the message.

    Raises:
        DatasetError: With the counts and what to change; or another listing has a sample of one of
            the names.
    """
    listing = plan.listing
    _refuse_taken_names(listing, kept, dataset)
    if plan.rule.by != "block":
        _refuse_in_two_splits([*plan.rows.values(), *kept], dataset)
    units = {i.name: plan.deciding[i.name] for i in listing.items if not i.left_out}
    lost, every = len(listing.items) - len(units), len(listing.items)
    reason = listing.unread_by or listing.left_out_by
    text = f"; {lost} of {every} tiles are left out by {reason}" if lost else ""
    # A split that other listings fill already may stay as it is.
    units |= {row.name: tuple(row.block.split("+")) for row in kept if row.split in SPLITS}
    where = f"data set '{dataset}'"
    require_all(units, plan.rule, where, left_out=text, ways=listing.advice)


def _refuse_in_two_splits(rows: Sequence[SplitRow], dataset: str) -> None:
    """One file under two names would show in training what is tested; of places blocks tell."""
    first: dict[str, SplitRow] = {}
    twice = [
        (one, row)
        for row in rows
        if row.split in SPLITS and row.source_sha256
        if (one := first.setdefault(row.source_sha256, row)).split != row.split
    ]
    if twice:
        one, row = twice[0]
        raise DatasetError(
            f"{len(twice)} samples are of files that another split has, too, first of them"
            f" {row.name} ({row.split}), which is the file of {one.name} ({one.split})",
            where=f"data set '{dataset}'",
            hint="leave one of the two out",
        )


def _refuse_taken_names(listing: Listing, kept: Sequence[SplitRow], dataset: str) -> None:
    """A record's name is that of its file and of its scores: two of one name would be one."""
    holder = {row.name: row.inventory for row in kept}
    taken = [item.name for item in listing.items if item.name in holder]
    if taken:
        what = f"{len(taken)} samples of {listing.name} are named as those of {holder[taken[0]]}"
        raise DatasetError(
            f"{what}, first of them {taken[0]}",
            where=f"data set '{dataset}'",
            hint="put the name of the listing before that of the sample",
        )
