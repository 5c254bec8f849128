"""The last files of a data set: statistics, ``split.csv`` and, after all else, ``dataset.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sensor2sensor.core.cli import StepReport
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.bands import BandStatistics
from sensor2sensor.dataset.build import finish
from sensor2sensor.dataset.contract import SPLITS, DatasetContract, Degradation, SplitPolicy
from sensor2sensor.dataset.degenerate import notices, refuse_degenerate
from sensor2sensor.dataset.ledger import DROPPED, REFUSED, SplitRow
from sensor2sensor.dataset.splits import TilePlace, ground_shared, groups_shared
from sensor2sensor.sources.source import Listing, Source, folder_of
from sensor2sensor.sources.writer import alignment
from sensor2sensor.sources.writer.agreement import held_options
from sensor2sensor.sources.writer.existing import Existing, There, end
from sensor2sensor.sources.writer.options import WriteOptions
from sensor2sensor.sources.writer.plan import Plan
from sensor2sensor.sources.writer.samples import Placed, WriteTask, Written
from sensor2sensor.sources.writer.twins import refuse_twins


@dataclass(frozen=True)
class _Finished:
    """A sibling that is finished, for what the next ones need not find out again.

    Attributes:
        contract: Its contract.
        rows: The lines of its table.
        ground: Fields of its split policy by :func:`ground_of`.
    """

    contract: DatasetContract
    rows: Sequence[SplitRow]
    ground: dict[str, Any]

    def has_members_of(self, rows: Sequence[SplitRow]) -> bool:
        """Whether a sibling has the same samples in the same splits, on the same ground.

        One that was made later lacks what was added to the others before.
        """
        return sorted(map(_member, self.rows)) == sorted(map(_member, rows))


def _member(row: SplitRow) -> tuple[str, ...]:
    place = (row.epsg, row.ulx_m, row.uly_m)
    return (row.name, row.split, row.block, row.source_sha256, *map(str, place))


def finish_all(
    source: Source,
    data_root: Path,
    options: WriteOptions,
    there: There,
    plan: Plan,
    tasks: Sequence[WriteTask],
    written: Written,
    report: StepReport,
) -> None:
    """Finish every data set of the run, and tidy up.

    Raises:
        DatasetError: Refused samples left a split empty, or a target band has no span.
    """
    first: _Finished | None = None
    for draft in source.drafts:
        # One sibling whole before the next: a kill leaves whole ones and unfinished ones.
        folder = folder_of(data_root, draft)
        item = there.kept.get(folder)
        kept = item.kept_rows(plan.listing.name) if item else []
        rows = [*kept, *placed_rows(plan, tasks, written, written.places[draft.name])]
        # Before the passes over all records, which take minutes.
        try:
            _require_members(rows, draft.name, plan, written)
            if first is None:  # siblings are of the same pictures
                refuse_twins(folder, draft, rows, written.shown)
        except DatasetError:
            report.tell()  # the message has the first of those refused, the report has each
            raise
        provenance = _provenance(source, item, plan, options)
        equal = first if first is not None and first.has_members_of(rows) else None
        ground = _shared_ground(equal, draft) or ground_of(rows, draft)
        known = equal if source.shared_target else None
        # Before dataset.json: what is finished has been looked at.
        shifts = alignment.look(folder, draft, rows) if source.looks_for_shift else {}
        contract = finish(
            folder,
            source.completed(draft, provenance["inventories"]),
            rows,
            target_statistics=_shared_statistics(known, draft, provenance["inventories"]),
            # Before dataset.json exists: else training would end before an evaluation refuses.
            accept=refuse_degenerate,
            split_policy=_policy(draft, rows, ground, plan.rule.guard_m),
            degradation=_degradation(draft, rows),
            provenance=provenance,
        )
        first = first or _Finished(contract, rows, ground)
        end(folder, rows)
        report.note(_line(contract))
        for line in (*alignment.lines_of(shifts), *notices(contract)):
            report.note(f"{contract.name}: {line}")


def placed_rows(
    plan: Plan, tasks: Sequence[WriteTask], written: Written, places: Mapping[str, Placed]
) -> list[SplitRow]:
    """The lines of a plan with the places of their records in one data set."""
    file_of = {item.name: task.file for task in tasks for item in task.items}
    rows = []
    for row in plan.rows.values():
        if row.name in written.refused:
            rows.append(replace(row, split=REFUSED, reason=written.refused[row.name]))
        elif row.name in written.left_out:
            rows.append(replace(row, split=DROPPED, reason=written.left_out[row.name]))
        elif row.split in SPLITS:
            rows.append(replace(row, file=file_of[row.name], **places[row.name]._asdict()))
        else:
            rows.append(row)
    return rows


def _require_members(rows: Sequence[SplitRow], name: str, plan: Plan, written: Written) -> None:
    counts = Counter(row.split for row in rows)
    empty = [split for split in SPLITS if not counts[split]]
    if empty:
        numbers = ", ".join(f"{counts[s]} {s}" for s in (*SPLITS, DROPPED, REFUSED))
        *most, last = empty
        named = f"{', '.join(most)} and {last} splits are" if most else f"{last} split is"
        raise DatasetError(
            f"the {named} empty ({numbers})",
            where=name,
            hint=_remedy(rows, plan.listing, written.left_out),
        )


def _remedy(rows: Sequence[SplitRow], listing: Listing, left_out: Mapping[str, str]) -> str:
    """What fills an empty split: what was refused, and what a rule left out, with the first."""
    ways = []
    refused = next((row for row in rows if row.split == REFUSED), None)
    if refused is not None:
        ways.append(f"first of them {refused.name}: {refused.reason}; mend the refused tiles")
    if left_out:
        name, reason = next(iter(left_out.items()))
        rule = f"{listing.left_out_by} leaves out {len(left_out)}, first {name}: {reason}"
        ways.append(f"{rule}; change that rule")
    return f"{'; '.join(ways)}, or give it more ground" if ways else "give it more ground"


def ground_of(rows: Sequence[SplitRow], draft: DatasetContract) -> dict[str, Any]:
    """``ground`` and ``ground_shared`` of the split policy, by coordinates where all have them.

    Else by groups, where units are such; nobody knows it of acquisitions and lone samples.
    """
    placed = [row for row in rows if row.epsg is not None]
    if draft.resolution_m is not None and len(placed) == len(rows):
        size_m = draft.tile_px * draft.resolution_m
        places = {row.name: _place(row, size_m) for row in rows}
        shared = ground_shared(places, {row.name: row.split for row in rows})
        return {"ground": "crs", "ground_shared": shared}
    # A date stands for no place, nor does a sample for the others of its city.
    by = draft.split_policy.by
    alone = by == "given" and any(row.block == row.name for row in rows if row.split in SPLITS)
    if by == "acquisition" or alone:
        return {"ground": "unknown", "ground_shared": {}}
    units = {s: [u for r in rows if r.split == s for u in r.block.split("+")] for s in SPLITS}
    return {"ground": "group", "ground_shared": groups_shared(units)}


def _place(row: SplitRow, size_m: float) -> TilePlace:
    assert row.epsg is not None and row.ulx_m is not None and row.uly_m is not None
    return TilePlace(row.name, row.epsg, row.ulx_m, row.uly_m, size_m, "")


def _policy(
    draft: DatasetContract, rows: Sequence[SplitRow], ground: Mapping[str, Any], guard_m: float
) -> SplitPolicy:
    counts = Counter(row.split for row in rows)
    found = {
        "dropped": counts[DROPPED],
        "refused": counts[REFUSED],
        "guard_m": guard_m,
        "dropped_by_guard": sum(row.by_guard for row in rows),
    }
    return draft.split_policy.model_copy(update={**found, **ground})


def _degradation(draft: DatasetContract, rows: Sequence[SplitRow]) -> Degradation | None:
    if draft.degradation is None:
        return None
    lacking = [row.incomplete_blocks for row in rows if row.incomplete_blocks]
    return draft.degradation.model_copy(
        update={"incomplete_blocks": sum(lacking), "tiles_with_incomplete_blocks": len(lacking)}
    )


def _shared_ground(equal: _Finished | None, draft: DatasetContract) -> dict[str, Any] | None:
    """The ground of a sibling with the same members, on tiles of the same size."""
    if equal is None:
        return None
    made = equal.contract
    same = (made.tile_px, made.resolution_m, made.split_policy.by)
    asked = (draft.tile_px, draft.resolution_m, draft.split_policy.by)
    return equal.ground if same == asked else None


def _shared_statistics(
    equal: _Finished | None, draft: DatasetContract, inventories: Sequence[Mapping[str, Any]]
) -> tuple[BandStatistics, ...] | None:
    """Statistics of an equal target with the same members: two passes over the records less.

    Names alone do not make members equal: those of another sibling may be of an earlier list.
    """
    if equal is None or equal.contract.provenance["inventories"] != list(inventories):
        return None
    same = _bare(equal.contract) == _bare(draft)
    return equal.contract.statistics["target"] if same else None


def _bare(contract: DatasetContract) -> list[Any]:
    """What a target's numbers depend on: not its wavelengths, which are completed at the end."""
    without = {"wavelength_nm": None}
    return [contract.target.dtype, *(b.model_copy(update=without) for b in contract.target.bands)]


def _provenance(
    source: Source, item: Existing | None, plan: Plan, options: WriteOptions
) -> dict[str, Any]:
    """Where the data set comes from; no time and no path, so that a repeat gives equal bytes."""
    known = item.inventories if item is not None else {}
    # Of the first inventory: messages put the --add of the others behind it.
    first = item.contract.provenance["command"] if item and item.contract else source.command
    inventories = {**known, plan.listing.name: dict(plan.listing.facts)}
    return {
        "step": source.step,
        "version": source.version,
        "command": first,
        "options": held_options(source, options),
        "inventories": list(inventories.values()),
    }


def dropped_text(dropped: int, by_guard: int) -> str:
    """``30 dropped (12 by the guard)``."""
    return f"{dropped} dropped" + (f" ({by_guard} by the guard)" if by_guard else "")


def _line(contract: DatasetContract) -> str:
    counts = ", ".join(f"{contract.splits[s].count} {s}" for s in SPLITS)
    policy = contract.split_policy
    text = (
        f"{contract.name}: {counts}, {dropped_text(policy.dropped, policy.dropped_by_guard)},"
        f" {policy.refused} refused tiles; {policy.described()}"
    )
    shown = policy.ground_shared.get("test")
    if shown:
        text += f"; train shows {shown:.0%} of the ground of test"
    return text
