"""What a kind of data offers to the shared writer: the whole of it on this page.

A source is one class. It says what there is (:meth:`Source.plan`, cheap), in which form it is
stored (:attr:`Source.drafts`) and makes the samples one by one (:meth:`Source.read`). All else is
the writer's (``sensor2sensor.sources.writer``): splits, files that are whole or not there, repeats
that keep what is current, statistics, ``split.csv`` and ``dataset.json``. A door is then three
lines: parse, make the source, ``write(source, data_root, write_options(args))``.

``sensor2sensor.preprocess.records`` is one such source: the tiles of step 40.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.manifest import fingerprint
from sensor2sensor.core.seeds import keyed_hash
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.dataset.splits import TilePlace

# One name of a file: no path, nothing hidden, nothing that breaks a line of split.csv.
_FILE_NAME = re.compile(r"[^./\\\x00-\x1f][^/\\\x00-\x1f]*")


@dataclass(frozen=True)
class Item:
    """One sample as it was found, before anything of it is read.

    Attributes:
        name: Of its record: unique, the same in every run; suffix filters look at its end.
        unit: What goes to one split as a whole where the split is not by blocks of ground: the
            acquisition, the group (city, site, region); of given splits the place it is from, or
            its own name where that is not known.
        made_from: What its bytes depend on beside the contract, as JSON: SHA-256 or sizes and
            times of its files, numbers from tables. Equal ones are never made twice.
        split: ``train``, ``val`` or ``test`` where the splits are given; of an item that is read,
            the split it is written to.
        place: Where it lies; None where nobody knows a projection.
        train_place: Where its input is from if it goes to train, where that is not ``place``.
        instead: The item that takes its place in train where ``train_place`` is ground of another
            split, too: what is trained on must not hold what is scored.
        overpass: Which look at the ground it is from (platform and time, a flight, a date), the
            same for all samples of it: intervals of scores count these. Empty where not known.
        scene: Number of that look in its inventory, where it has one.
        left_out: Why the source leaves it out, empty where it does not.
        remark: What ``split.csv`` is to say of an item that is taken.
        source_sha256: Of its main file, where known.
        time_gap_h: Hours from target to input, signed; None where there is none.
        shift_m: Shift between the two, None where not known.
        payload: What :meth:`Source.read` needs to find it; the writer does not look into it.
    """

    name: str
    unit: str
    made_from: Mapping[str, Any]
    split: str | None = None
    place: TilePlace | None = None
    train_place: TilePlace | None = None
    instead: Item | None = None
    overpass: str = ""
    scene: int = 0
    left_out: str = ""
    remark: str = ""
    source_sha256: str = ""
    time_gap_h: float | None = None
    shift_m: float | None = None
    payload: Any = None


@dataclass(frozen=True)
class Listing:
    """What one run takes in: an inventory, a folder, an archive.

    Attributes:
        name: Its name, the ``inventory`` of ``split.csv``; ``--add`` adds another one.
        items: In the order of their names.
        facts: What ``dataset.json`` remembers of it, its ``name`` among them.
        decisive: Keys of ``facts`` by which a repeat sees that nothing changed; the first is the
            digest of the list.
        listed_in: What messages call that list.
        notes: Lines for the user.
        left_out_by: What messages call the reason for items that the source leaves out.
        unread_by: The same for those of :attr:`Item.left_out`; empty where it is no other.
        advice: What brings such items back, for the message of an empty split.
    """

    name: str
    items: tuple[Item, ...]
    facts: Mapping[str, Any]
    decisive: tuple[str, ...]
    listed_in: str = "the list of items"
    notes: tuple[str, ...] = ()
    left_out_by: str = "the source"
    unread_by: str = ""
    advice: tuple[str, ...] = ()

    def first(self, count: int | None, *, given: bool = False) -> Listing:
        """The listing of its first items alone, another one than the whole; None: the whole.

        Where splits are ``given`` they are the first of each, in the shares that the whole has, and
        none that is left out.
        """
        if count is None or count >= len(self.items):
            return self
        more = f"a larger --limit ({count} of {len(self.items)} items are taken)"
        return replace(
            self,
            items=_first_of_each(self.items, count) if given else self.items[:count],
            facts={**self.facts, "tiles": count, "limit": count},
            advice=(more, *self.advice),
        )

    @property
    def limit(self) -> int | None:
        """How many items it was cut to, None where it is whole."""
        return limit_of(self.facts)


def counted(reasons: Iterable[str]) -> str:
    """``size (5) and --exclude (1)``, the most frequent first; empty where there is none."""
    told = [f"{reason} ({count})" for reason, count in Counter(reasons).most_common()]
    return " and ".join(filter(None, (", ".join(told[:-1]), *told[-1:])))


def _first_of_each(items: Sequence[Item], count: int) -> tuple[Item, ...]:
    """The first items of each given split, at least one of each where ``count`` has room."""
    taken = [item for item in items if not item.left_out]
    sizes, seen = Counter(item.split for item in taken), Counter[str | None]()
    places: list[tuple[float, int]] = []
    for place, item in enumerate(taken):
        places.append((seen[item.split] / sizes[item.split], place))
        seen[item.split] += 1
    return tuple(taken[place] for place in sorted(place for _, place in sorted(places)[:count]))


def limit_of(facts: Mapping[str, Any]) -> int | None:
    """To how many items the listing of these facts was cut, None where it is whole."""
    found: int | None = facts.get("limit")
    return found


def listing(name: str, items: Iterable[Item], **facts: Any) -> Listing:
    """A listing of items in the order of their names, told from others by what they are made from.

    Args:
        name: Its name.
        items: In any order.
        facts: What ``dataset.json`` is to remember beside its name, count and digest.

    Raises:
        DatasetError: There is none, two have one name, or a name cannot be that of a file.
    """
    ordered = tuple(sorted(items, key=lambda item: item.name))
    if not ordered:
        raise DatasetError("holds no sample", where=name, hint="check the folder")
    twice = [found for found, n in Counter(item.name for item in ordered).items() if n > 1]
    if twice:
        what = f"has two samples of one name: {', '.join(twice[:5])}"
        hint = "rename one of the two files; 1.jpg and 1.png have one name"
        raise DatasetError(what, where=name, hint=hint)
    for item in ordered:
        # Names become those of files, and split.csv joins the units of a sample by "+".
        if not _FILE_NAME.fullmatch(item.name) or not item.unit or "+" in item.unit:
            what = f"sample '{item.name}' of unit '{item.unit}' cannot be named so"
            raise DatasetError(what, where=name, hint="leave out / and +, and a leading dot")
    digest = fingerprint([_decisive(item) for item in ordered])
    own = {"name": name, "tiles": len(ordered), "items_sha256": digest}
    return Listing(name, ordered, {**own, **facts}, ("items_sha256",))


def _decisive(item: Item) -> list[Any]:
    """What its line in ``split.csv`` and its record come from: all but its payload."""
    place = None if item.place is None else list(astuple(item.place))
    told = [item.overpass, item.scene, item.remark, item.source_sha256]
    measured = [item.time_gap_h, item.shift_m]
    ruled = [item.name, item.unit, item.split, item.left_out]
    return [*ruled, item.made_from, place, *told, *measured]


def with_validation(items: Iterable[Item], count: int, seed: int) -> tuple[Item, ...]:
    """Items of given splits with validation drawn from train, by whole units.

    For data sets published as train and test alone. Parts of one image have its unit, so none is
    trained on while its neighbour validates.

    Args:
        items: With their splits.
        count: How many units of train go to validation.
        seed: Of the draw, which depends on the names of the units alone.

    Raises:
        DatasetError: Train has no unit to spare.
    """
    every = tuple(items)
    units = {item.unit for item in every if item.split == "train" and not item.left_out}
    if not 0 < count < len(units):
        what = f"{count} units of train cannot go to validation, it has {len(units)}"
        raise DatasetError(what, hint="leave train at least one")
    # In the order of a hash: a unit more or less moves one other at most.
    drawn = set(
        sorted(units, key=lambda unit: (keyed_hash(seed, "validation", unit), unit))[:count]
    )
    moved = (item.split == "train" and item.unit in drawn for item in every)
    return tuple(replace(i, split="val") if m else i for i, m in zip(every, moved, strict=True))


class LeftOut(Exception):  # noqa: N818 - it is no error
    """Raised by :meth:`Source.read`: a rule of the options leaves the item out, and why.

    It becomes ``dropped`` in every sibling, no failure, and is not read again until what it is made
    from, or the source's version or options, change. Only a run that was cut off forgets it.
    """


class Source(Protocol):
    """One kind of data. Subclass it to have the two last methods as they are.

    It is sent to worker processes with every task, so it can be pickled and holds no items.

    Attributes:
        step: Number of the step it is the source of, for messages and provenance (``50``).
        version: Of its samples: raised when equal items and options give other bytes.
        dataset: What messages call the data set, or the family of siblings, that is made.
        drafts: The form of each data set that one reading gives: siblings with the same members.
            A draft (``dataset.build.draft_contract``) has the bands with units, wavelengths, groups
            and fixed value ranges, the display bands, the extras, and in ``split_policy``
            (``dataset.build.drawn``) the split rule: ``by``, seed, ratios, ``block_m`` and
            ``guard_m``, equal in all siblings.
        options: What the data set depends on beside its items and drafts, as JSON: a data set of
            other options is not gone on with. Version, drafts and shard are compared as well.
        options_say_all: Whether the options name everything that decides on drafts and files, so
            that nothing else is compared (step 50, whose data sets outlive its drafts' details).
        shared_target: Whether :meth:`read` gives every sibling the same target, whose statistics
            are then measured once. A sample of several targets is refused.
        reasons_with_names: Whether a refused sample's reason in ``split.csv`` begins with its name,
            as in the tables that step 50 has always written.
        looks_for_shift: Whether the shift between inputs and targets is looked for
            (``writer.alignment``), because they are to lie on one ground pixel for pixel.
        one_look_one_tile: Whether samples of one file, or of one look at one place, are one sample,
            which counts once whichever listings have it (step 50, whose inventories overlap).
        command: The command line that makes it, for messages and provenance.
    """

    step: str
    version: int
    dataset: str
    drafts: tuple[DatasetContract, ...]
    options: Mapping[str, Any]
    command: str
    options_say_all: bool = False
    shared_target: bool = False
    reasons_with_names: bool = False
    looks_for_shift: bool = True
    one_look_one_tile: bool = False

    def plan(self) -> Listing:
        """What there is. Reads names and tables, no pixels; called once a run.

        Raises:
            Sensor2SensorError: There is nothing, or the tables cannot be used.
        """
        ...

    def read(self, item: Item) -> Sequence[TileRecord]:
        """Make one sample: a record in physical values for each draft, in their order.

        Runs in worker processes.

        Raises:
            LeftOut: A rule that needs the pixels leaves it out (too few pixels of a class).
            DatasetError: The item cannot be used, and why. It is refused in every sibling with that
                reason, the run goes on, ends with exit code 1, and a repeat tries the item again.
                So it is with every other exception, which is told with its type: a mistake in the
                source costs the items it meets; ``--debug`` shows where it was made.
        """
        ...

    def kin(self, data_root: Path) -> list[Path]:
        """Folders of data sets whose options must agree, its own and perhaps earlier siblings."""
        return [folder_of(data_root, draft) for draft in self.drafts]

    def completed(
        self, draft: DatasetContract, inventories: Sequence[Mapping[str, Any]]
    ) -> DatasetContract:
        """A draft with what only all inventories together decide, known by their facts."""
        return draft


def folder_of(data_root: Path, draft: DatasetContract) -> Path:
    """``<data_root>/<name>/<tilesize>``."""
    return Path(data_root) / draft.name / str(draft.tile_px)
