"""What the runs that a run began with looked at, of the ground that this one keeps for later.

Weights that are taken over (``pretrained_generator``, ``--restore``, ``--fork``) bring along what
they were learned from and chosen by. Blocks that are set aside for calibration are unseen only if
those runs left them alone, too; and a tile of test that one of them trained on is no new ground.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import Sensor2SensorError
from sensor2sensor.core.runs import Run, read_run_json
from sensor2sensor.dataset.calibration import KEY, Parts, divided, parts_of
from sensor2sensor.dataset.contract import CONTRACT_FILE, DatasetContract, load_contract
from sensor2sensor.dataset.ledger import SplitRow, read_split
from sensor2sensor.dataset.overlap import common

# Of run.json. A resumed run notes itself in restored_from, so what it began with has a key.
BEGAN_FROM, RESTORED = "began_from", "restored_from"
PRETRAINED, FORKED = "pretrained_generator", "forked_from"  # weights that were taken over
_UNREADABLE = (Sensor2SensorError, OSError, KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True)
class Inherited:
    """Why blocks that are set aside may not be unseen.

    Attributes:
        seen: What an earlier run looked at; empty where none of them looked at these blocks.
        unknown: Why nobody can tell; empty where it is known of all of them.
    """

    seen: str = ""
    unknown: str = ""


def began_from(
    before: Mapping[str, Any], run: Run, restored_from: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The entries of ``run.json`` on the other run that a resumed run once began with.

    Args:
        before: Its ``run.json`` until now.
        run: The run.
        restored_from: What is noted now; of a run that is resumed itself.
    """
    then = before.get(BEGAN_FROM) or before.get(RESTORED)
    kept = then is not None and then["timestamp"] != run.timestamp and then != restored_from
    forked = {FORKED: before[FORKED]} if FORKED in before else {}
    return {BEGAN_FROM: then, **forked} if kept else forked


def ancestors(begun: Sequence[Run]) -> list[Run]:
    """Runs and all those that they began with in turn, each once.

    Args:
        begun: Those that a run began with; a run itself, to have it among them.
    """
    found: list[Run] = []
    coming = list(begun)
    while coming:
        run = coming.pop(0)
        if run not in found:
            found.append(run)
            coming += sources_of(run)
    return found


def sources_of(run: Run) -> list[Run]:
    """The runs whose state or weights a run began with; none where its ``run.json`` is gone."""
    try:
        content = read_run_json(run)
        taken = [content[key] for key in (PRETRAINED, FORKED) if content.get(key) is not None]
        found = [Run(Path(kept["experiment"]), kept["timestamp"]) for kept in taken]
        for key in (RESTORED, BEGAN_FROM):
            kept = content.get(key)
            if kept is not None and kept["timestamp"] != run.timestamp:
                found.append(Run(run.exp_dir, kept["timestamp"]))
    except _UNREADABLE:
        return []
    return found


def inherited(experiment: Any, begun: Sequence[Run]) -> Inherited:
    """Whether earlier runs looked at blocks that an experiment sets aside.

    Args:
        experiment: The experiment.
        begun: The runs that it begins, or began, with.
    """
    parts = parts_of(experiment) if begun else None
    if parts is None:
        return Inherited()
    unknown = ""
    for run in ancestors(begun):
        name = _name(run, experiment)
        try:
            found = _looked(_Learned.of(run, experiment), name, experiment, parts)
        except _UNREADABLE:
            found = Inherited(unknown=f"what {name} looked at cannot be read")
        if found.seen:
            return found
        unknown = unknown or found.unknown
    return Inherited(unknown=unknown)


def trained_before(
    experiment: Any, begun: Sequence[Run], place: tuple[Path, DatasetContract], split: str
) -> list[str]:
    """Lines on tiles that show ground which earlier runs of these weights were trained on.

    Of other data sets alone: within that of the experiment splits show no common ground.

    Args:
        experiment: The experiment.
        begun: The runs that it begins, or began, with.
        place: Folder and contract of what is scored.
        split: The split that is scored.
    """
    lines = []
    for run in ancestors(begun):
        try:
            there = _Learned.of(run, experiment)
            if there.same or there.folder is None:
                continue
            train = [row for row in there.rows if row.split == "train"]
            tested = [row for row in read_split(place[0]) if row.split == split]
            seen = common(train, load_contract(there.folder), tested, place[1]).seen
        except _UNREADABLE:
            continue
        if seen:
            lines.append(
                f"{len(seen)} of {len(tested)} tiles of {split} show ground that the weights it "
                f"began with ({_name(run, experiment)}, '{there.name}') were trained on: these "
                "scores are not all of new ground"
            )
    return lines


@dataclass(frozen=True)
class _Learned:
    """The data set of a run.

    Attributes:
        name: Its name.
        same: Whether it is that of the experiment, as it is now.
        folder: Where it lies; None where it is gone, or another by now.
        share: Of val's blocks, which the run set aside; None: it set none aside.
    """

    name: str
    same: bool
    folder: Path | None
    share: float | None

    @classmethod
    def of(cls, run: Run, experiment: Any) -> _Learned:
        """What a run notes of it; raises one of ``_UNREADABLE`` where it notes nothing."""
        known, settings = read_run_json(run)["dataset"], files.read_json(run.resolved)
        asked = settings.get(KEY)
        own: Path = experiment.dataset_dir
        same = known["sha256"] == files.sha256(own / CONTRACT_FILE)
        folder = own if same else own.parent.parent / known["name"] / str(settings["tilesize"])
        file = folder / CONTRACT_FILE
        there = file.is_file() and files.sha256(file) == known["sha256"]
        share = None if asked is None else asked["share"]
        return cls(known["name"], same, folder if there else None, share)

    @property
    def rows(self) -> list[SplitRow]:
        """Of its ``split.csv``."""
        assert self.folder is not None, "asked of what is there alone"
        return read_split(self.folder)


def _looked(there: _Learned, name: str, experiment: Any, parts: Parts) -> Inherited:
    if there.folder is None:
        gone = f"'{there.name}', which {name} learned from, is not there any more as it was"
        return Inherited(unknown=gone)
    contract, rows = load_contract(there.folder), there.rows
    if there.share is None:
        aside: frozenset[str] = frozenset()
    else:
        aside = divided(rows, contract.split_policy.seed, there.share).aside
    if there.same:
        if parts.calibrating <= aside:
            return Inherited()
        share = "all of val" if there.share is None else f"more of val (share {there.share:g})"
        return Inherited(seen=f"{name} looked at {share}")
    read = [
        row
        for row in rows
        if row.split == "train" or (row.split == "val" and row.name not in aside)
    ]
    own = [row for row in read_split(experiment.dataset_dir) if row.name in parts.calibrating]
    found = common(read, contract, own, experiment.contract)
    if met := found.seen | found.beside:
        where = f"ground of {len(met)} of the {len(own)} tiles that are set aside"
        return Inherited(seen=f"{name} looked at {where}, in '{there.name}'")
    if found.ground == "unknown":
        return Inherited(unknown=f"whether {name} looked at that ground is not known: {found.note}")
    return Inherited()


def _name(run: Run, experiment: Any) -> str:
    """``a/b/c/MMDD-hhmm``, without the folders of a machine."""
    root = Path(experiment.environment.experiment_root)
    inside = run.exp_dir.is_relative_to(root)
    return f"{run.exp_dir.relative_to(root) if inside else run.exp_dir.name}/{run.timestamp}"
