"""What is found of the tiles of a split, group by group: by one process, or by several in shares.

A group is the tiles that are predicted and scored together, in the order of the split, and the same
ones whoever scores them. All that adds up over tiles is left to the process that asked, in their
order: so its files are the same to the byte however many processes there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sensor2sensor.config.evaluations import MODEL
from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.progress import progress
from sensor2sensor.dataset.contract import CONTRACT_FILE
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import RecordRef, iterate_refs, select_records
from sensor2sensor.evaluation.detail import Detail
from sensor2sensor.evaluation.kept import Batch
from sensor2sensor.evaluation.predict import drawn_of
from sensor2sensor.evaluation.scoring import Scorer, Seen, counted
from sensor2sensor.evaluation.sisr import scorer_of
from sensor2sensor.evaluation.tile_facts import FactSheet, Measured
from sensor2sensor.predictors.protocol import Predictor
from sensor2sensor.predictors.registry import find

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord


@dataclass(frozen=True)
class Group:
    """What is found of tiles that are scored together; plain data, which JSON keeps to the bit.

    Attributes:
        names: Of the tiles.
        pixels: Of each, those with a truth within each part.
        draws: By method, of each of its draws, scores and states tile by tile.
        seen: What is behind the scores.
        measured: Of each tile what its record tells beside them; empty where nobody asks.
    """

    names: list[str]
    pixels: list[dict[str, int]]
    draws: dict[str, list[Batch]]
    seen: Seen
    measured: list[Measured]


@dataclass(frozen=True)
class Examiner:
    """Predicts and scores groups of tiles.

    Attributes:
        contract: The data set's contract.
        predictors: By method; those whose scores are known are not among them.
        scorer: Of the profile.
        facts: Measures what records tell beside their scores.
        detail: Looks at predictions, too, of profile ``torchsisr``.
        blocks: Block of ground by name of a tile.
    """

    contract: DatasetContract
    predictors: Mapping[str, Predictor]
    scorer: Scorer
    facts: FactSheet | None
    detail: Detail | None
    blocks: Mapping[str, str]

    def groups(self, refs: Sequence[RecordRef], size: int) -> Iterator[Group]:
        """Each of the groups of so many tiles."""
        tiles = iterate_refs(refs, self.contract)
        tiles = progress(tiles, total=len(refs), desc="evaluate", unit="tile")
        return map(self._examine, batches(tiles, size))

    def _examine(self, batch: Sequence[TileRecord]) -> Group:
        # One truth and one set of masks for all methods: scores are compared tile by tile.
        views = self.scorer.views(batch)
        held = self.scorer.references(views)
        masks = self.scorer.masks(batch, held)
        names = [tile.name for tile in batch]
        if self.detail is not None:
            self.detail.begin(views, held, [self.blocks[name] for name in names])
        draws = {}
        for method, predictor in self.predictors.items():
            drawn = drawn_of(method, predictor, views, self.detail)
            normalised = predictor.normalised
            draws[method] = [self.scorer(held, g, masks, normalised=normalised) for g in drawn]
        # After the scores, which refuse tiles that are smaller than a window.
        seen = self.scorer.see(held, masks)
        measured = [] if self.facts is None else self.facts.measured(batch)
        return Group(names, counted(masks, len(batch)), draws, seen, measured)


def batches(tiles: Iterator[TileRecord], size: int) -> Iterator[list[TileRecord]]:
    """The tiles in their order, ``size`` at a time; fewer at the end."""
    while batch := list(islice(tiles, size)):
        yield batch


class Helpers(Protocol):
    """Processes that score a share each, this one among them.

    Attributes:
        number: Of this one, the first.
        count: How many there are.
    """

    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def count(self) -> int: ...  # noqa: D102

    def ask(self, task: Mapping[str, Any]) -> None:
        """Tell the others what to do."""

    def answers(self, own: bytes) -> list[bytes]:
        """What each has found, in their order; an error where one has failed."""


@dataclass(frozen=True)
class Task:
    """What processes share, as JSON.

    Attributes:
        dataset_sha256: Of ``dataset.json``.
        split: Whose tiles they are.
        tiles: Their names, in order.
        size: Tiles of a group.
        profile: Metric conventions.
        baselines: Those to score beside the model, each as it describes itself.
    """

    dataset_sha256: str
    split: str
    tiles: list[str]
    size: int
    profile: str
    baselines: dict[str, dict[str, Any]]

    def share(self, examiner: Examiner, refs: Sequence[RecordRef], number: int, of: int) -> bytes:
        """Score one group in so many, from that number on."""
        every = [refs[start : start + self.size] for start in range(0, len(refs), self.size)]
        # No group but the last of all is smaller: those of a share are cut where these were.
        mine = [ref for group in every[number::of] for ref in group]
        found = examiner.groups(mine, self.size)
        return json.dumps([asdict(group) for group in found]).encode()


def shared(
    examiner: Examiner, refs: Sequence[RecordRef], size: int, split: str, profile: str,
    dataset_dir: Path, helpers: Helpers,
) -> Iterator[Group]:  # fmt: skip
    """The groups of a split in their order, scored by several processes."""
    others = {n: p.describe() for n, p in examiner.predictors.items() if n != MODEL}
    digest, names = files.sha256(dataset_dir / CONTRACT_FILE), [ref.name for ref in refs]
    task = Task(digest, split, names, size, profile, others)
    helpers.ask(asdict(task))
    own = task.share(examiner, refs, helpers.number, helpers.count)
    shares = [iter(json.loads(share)) for share in helpers.answers(own)]
    for number in range(-(-len(refs) // size)):
        found = next(shares[number % len(shares)])
        yield Group(**{**found, "seen": Seen(**found["seen"])})


def helped(
    dataset_dir: Path, contract: DatasetContract, told: Mapping[str, Any], predictor: Predictor,
    number: int, of: int,
) -> bytes:  # fmt: skip
    """The share of one of several processes that does not ask but is asked.

    Args:
        dataset_dir: ``<data_root>/<dataset>/<tilesize>``.
        contract: The data set's contract.
        told: A :class:`Task`.
        predictor: The model, with the weights of the one that asks.
        number: Of this process.
        of: How many there are.

    Raises:
        DatasetError: The data set here is another one.
    """
    task = Task(**told)
    if files.sha256(dataset_dir / CONTRACT_FILE) != task.dataset_sha256:
        problem = "is not the one that the first process evaluates on"
        hint = "let data_root lead to the same data set on every machine"
        raise DatasetError(problem, where=dataset_dir, hint=hint)
    refs = select_records(read_split(dataset_dir), dataset_dir, task.split)
    known = {ref.name: ref for ref in refs}
    others = {n: find(n).restore(contract, own) for n, own in task.baselines.items()}
    predictors = {MODEL: predictor, **others}
    scorer = scorer_of(contract, task.profile, None, predictors, None)
    facts = FactSheet(dataset_dir, contract)
    examiner = Examiner(contract, predictors, scorer, facts, None, {})
    return task.share(examiner, [known[name] for name in task.tiles], number, of)
