"""Score predictors tile by tile on one split of a data set."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.config.evaluations import BY_DEFINITION, MODEL
from sensor2sensor.config.vocabulary import BAND_UNIT, INPUT
from sensor2sensor.core.clustered import Bools, undefined_alike
from sensor2sensor.dataset.ledger import SplitRow, read_split
from sensor2sensor.dataset.recordfile import select_records
from sensor2sensor.dataset.strata import few, split_column
from sensor2sensor.evaluation.definitions import behind_mask, info, within_strata
from sensor2sensor.evaluation.detail import Detail
from sensor2sensor.evaluation.kept import NOTHING, Kept
from sensor2sensor.evaluation.parts import Part
from sensor2sensor.evaluation.pooled import Pool, Pooled
from sensor2sensor.evaluation.predict import check
from sensor2sensor.evaluation.scoring import Ground, Scores, over_draws
from sensor2sensor.evaluation.shares import Examiner, Helpers, shared
from sensor2sensor.evaluation.sisr import Sisr, SisrScorer, scorer_of
from sensor2sensor.evaluation.summary import Gain, Statistics, gain, spared, statistics
from sensor2sensor.evaluation.trust import TrustScorer
from sensor2sensor.predictors.baselines import DoNothing
from sensor2sensor.predictors.protocol import Predictor

if TYPE_CHECKING:
    from sensor2sensor.core.lpips_file import LpipsFile
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.evaluation.tile_facts import FactSheet

BATCH = 8  # tiles in memory at a time


@dataclass(frozen=True)
class TileScores:
    """One row: the scores of one method on one tile.

    Attributes:
        name: Name of the record.
        scene: The overpass, ``S2A_20221005T115411``; ``<inventory>/<index>`` where not recorded.
        block: Block of ground (the first, where a tile touches several).
        split: Split the tile belongs to.
        method: ``model`` or the name of a baseline.
        values: Every metric of the profile, and ``rmse@cloudy`` within each part; NaN undefined,
            +inf perfect.
        state: Why a value may be missing, one of ``sensor2sensor.metrics.STATES``.
        pixels: Pixels with a truth within each part.
    """

    name: str
    scene: str
    block: str
    split: str
    method: str
    values: Mapping[str, float]
    state: str
    pixels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """All rows of one evaluation and how they were made.

    Attributes:
        rows: A row per method and tile, methods in order, tiles in the data set's order.
        methods: ``model`` first, then baselines, the strongest last.
        metrics: Names of the metrics in table order.
        profile: Conventions they follow.
        split: The split that was scored.
        seed: Seed of the bootstrap intervals.
        unit: Unit of the target bands, that of RMSE and L1.
        undefined: Metrics that these bands cannot have, and why.
        sam_left_out: Share of the pixels that SAM leaves out because their truth is zero.
        strata: Parts of the tiles that are scored apart, too.
        grounds: What is behind the scores within each of them, by its name.
        batch_size: Tiles that were predicted at a time, in the order of the split.
        pooled: Scores over all pixels at once, of a profile that has them.
        copies: Methods that give the input back as it is.
        detail: Bands, sites and spectra of profile torchsisr.
        lpips: The weights that ``lpips`` was computed with.
        trust: What of profile trust compared predictions with their input.
        factor: Input pixel over target pixel.
    """

    rows: tuple[TileScores, ...]
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    profile: str
    split: str
    seed: int
    unit: str = BAND_UNIT
    undefined: Mapping[str, str] = field(default_factory=dict)
    sam_left_out: float = 0.0
    strata: tuple[Part, ...] = ()
    grounds: Mapping[str, Ground] = field(default_factory=dict)
    batch_size: int = BATCH
    pooled: Pooled | None = None
    copies: frozenset[str] = frozenset()
    detail: Detail | None = None
    lpips: LpipsFile | None = None
    trust: TrustScorer | None = None
    factor: float = 1.0

    def of(self, method: str) -> list[TileScores]:
        """The rows of one method, in tile order."""
        return [row for row in self.rows if row.method == method]

    def within(self, method: str, column: str) -> list[TileScores]:
        """The rows of one method that a column is about: tiles with a pixel of its stratum."""
        stratum = split_column(column)[1]
        # A tile that shows none of it has no value there, which is nobody's failure.
        return [row for row in self.of(method) if stratum is None or row.pixels[stratum]]

    def values(self, method: str, column: str) -> list[float]:
        """One metric of one method, in tile order; that of a stratum where a tile has any of it."""
        return [row.values[column] for row in self.within(method, column)]

    def given(self, method: str, column: str) -> bool:
        """Whether a score holds by definition: that of the input, held against the input."""
        mark = split_column(column)[1]
        return method in self.copies and any(
            part.name == mark and part.against == INPUT for part in self.strata
        )

    def columns_of(self, stratum: Part) -> tuple[str, ...]:
        """``rmse@cloudy`` and so on, in table order."""
        names = within_strata(self.profile, self.metrics)
        # A part without a mask is the whole tile, seen another way.
        names = behind_mask(names) if stratum.extra else names
        return tuple(stratum.column(name) for name in names)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every metric of the tables: of whole tiles, then of each stratum."""
        return self.metrics + tuple(c for stratum in self.strata for c in self.columns_of(stratum))

    def pixels(self, stratum: Part) -> tuple[int, int]:
        """Pixels of a stratum that have a truth, and tiles with any."""
        counts = [row.pixels[stratum.name] for row in self.of(self.methods[0])]
        return sum(counts), sum(count > 0 for count in counts)

    @property
    def reference(self) -> str | None:
        """The baseline that is usually the strongest, or None without any."""
        return self.methods[-1] if len(self.methods) > 1 else None

    @property
    def tiles(self) -> int:
        """Number of tiles scored."""
        return len(self.of(self.methods[0]))

    @cached_property
    def summary(self) -> dict[str, dict[str, Statistics]]:
        """Statistics by method and column."""
        return {
            method: {name: statistics(self.values(method, name)) for name in self.columns}
            for method in self.methods
        }

    @cached_property
    def cross_sensor(self) -> dict[str, Any]:
        """Bands, sites and spectra of profile torchsisr, for JSON; empty of any other."""
        return {} if self.detail is None else self.detail.document(self.seed)

    @cached_property
    def gains(self) -> dict[str, dict[str, Gain]]:
        """Paired gain of the first method over each other method, by column."""
        # Over all methods, not the pair: two that fail on the same tile do not make it undefined.
        undefined = {
            name: undefined_alike([self.values(method, name) for method in self.methods])
            for name in self.columns
        }
        return {
            other: {name: self._gain(other, name, undefined[name]) for name in self.columns}
            for other in self.methods[1:]
        }

    def _defined(self, method: str, column: str) -> Bools:
        """Tiles where a method has a value, or lacks it only since a stratum has few pixels there.

        A method that lacks the value on the whole tile too has failed there, or where the stratum
        has more pixels than one of the input shows: there the stratum is no excuse.
        """
        rows = self.within(method, column)
        inside = np.array([row.values[column] for row in rows])
        metric, part = split_column(column)
        whole = np.array([row.values[metric] for row in rows])
        small = few(np.array([row.pixels.get(part or "", np.nan) for row in rows]), self.factor)
        return np.asarray(np.isfinite(inside) | (np.isnan(inside) & np.isfinite(whole) & small))

    def _gain(self, other: str, column: str, undefined: Bools) -> Gain:
        first = self.methods[0]
        rows = self.within(first, column)
        undefined = undefined | (self._defined(first, column) & self._defined(other, column))
        found = gain(
            [row.values[column] for row in rows],
            self.values(other, column),
            better=info(column).better,
            blocks=[row.block for row in rows],
            scenes=[row.scene for row in rows],
            undefined=undefined,
            seed=self.seed,
            key=f"{other}/{column}",
        )
        given = self.given(first, column) or self.given(other, column)
        return spared(found, f"perfect {BY_DEFINITION}") if given else found

    @property
    def scene_unit(self) -> str:
        """What tells two scenes apart; older data sets do not know which share an overpass."""
        # Where no overpass was recorded a scene is <inventory>/<index>.
        known = all("/" not in row.scene for row in self.rows)
        return "overpass" if known else "inventory and index, as overpasses are not recorded"

    @property
    def states(self) -> dict[str, dict[str, int]]:
        """How many tiles of each method are perfect, constant, empty, not finite or ordinary."""
        counts: dict[str, dict[str, int]] = {}
        for row in self.rows:
            states = counts.setdefault(row.method, {})
            states[row.state] = states.setdefault(row.state, 0) + 1
        return counts


def _places(rows: Sequence[SplitRow]) -> dict[str, tuple[str, str]]:
    """Overpass and block of each record."""
    # A tile on the edge of two blocks counts to the first: clusters must not overlap.
    return {row.name: (row.seen_by, row.block.split("+")[0]) for row in rows}


def evaluate(
    predictors: Mapping[str, Predictor],
    dataset_dir: Path,
    contract: DatasetContract,
    *,
    split: str = "test",
    profile: str = "standard",
    batch_size: int = BATCH,
    limit: int | None = None,
    enforce_suffix: str | None = None,
    exclude_suffix: str | None = None,
    exclude_tiles: Collection[str] = (),
    seed: int = 0,
    sisr: Sisr | None = None,
    lpips: LpipsFile | None = None,
    facts: FactSheet | None = None,
    kept: Kept = NOTHING,
    helpers: Helpers | None = None,
) -> Evaluation:
    """Score every predictor on every tile of a split.

    Args:
        predictors: By name: ``model`` first, then baselines, the strongest last; gains are those of
            the first over each other one. Of one with draws a score is the mean of those of each.
        dataset_dir: ``<data_root>/<dataset>/<tilesize>``.
        contract: The data set's contract: bands, value ranges, factor.
        split: The split to score; ``test`` is scored whole.
        profile: Metric conventions.
        batch_size: Tiles held in memory at a time.
        limit: Only the first tiles (monitoring).
        enforce_suffix: Only tiles whose name ends so, as in training.
        exclude_suffix: Only tiles whose name does not end so.
        exclude_tiles: Names of tiles left out, as in training.
        seed: Seed of the bootstrap intervals.
        sisr: How profile ``torchsisr`` scores; as is sound by default.
        lpips: The weights of ``lpips``, of profile ``extended``; None leaves it out.
        facts: Takes in each tile, for what is known of it beside its scores.
        kept: What is known of baselines' scores; takes in what is not.
        helpers: Processes that score a share each, of a profile without ``sisr`` and ``lpips``.

    Raises:
        ConfigError: The profile is unknown or cannot score a predictor or the data set.
        InputError: No tile is left, or a predictor returns another shape.
    """
    check(predictors, profile)
    scorer = scorer_of(contract, profile, sisr, predictors, lpips)
    table = read_split(dataset_dir)
    pool = Pool(scorer.powers)
    places = _places(table)
    filters = enforce_suffix, exclude_suffix, exclude_tiles
    refs = select_records(table, dataset_dir, split, *filters)[:limit]
    kept.look({n: p for n, p in predictors.items() if n != MODEL}, [ref.name for ref in refs])
    found: dict[str, list[TileScores]] = {name: [] for name in predictors}
    detail = scorer.detail(len(refs)) if isinstance(scorer, SisrScorer) else None
    asked = {name: p for name, p in predictors.items() if not kept.knows(name)}
    blocks = {name: block for name, (_, block) in places.items()}
    examiner = Examiner(contract, asked, scorer, facts, detail, blocks)
    groups = (
        examiner.groups(refs, batch_size)
        if helpers is None
        else shared(examiner, refs, batch_size, split, profile, dataset_dir, helpers)
    )
    for group in groups:
        draws: dict[str, list[Scores]] = {}
        for method in predictors:
            scored = group.draws.get(method) or kept.of(method, len(group.names))
            kept.add(method, group.names, scored)
            draws[method] = [scores for scores, _ in scored]
            scores, states = over_draws(scored)
            pairs = zip(group.names, scores, states, group.pixels, strict=True)
            for name, values, state, within in pairs:
                row = TileScores(name, *places[name], split, method, values, state, within)
                found[method].append(row)
        pool.add(draws, group.seen.counts)
        scorer.take(group.seen)
        if facts is not None:
            facts.see(group.measured)
    # Method by method, whatever the batch size: the order of rows in tables already written.
    rows = tuple(row for method in predictors for row in found[method])
    return Evaluation(
        rows,
        tuple(predictors),
        scorer.names,
        profile,
        split,
        seed,
        unit=contract.target_unit(),
        undefined=scorer.undefined,
        sam_left_out=scorer.sam_left_out,
        strata=scorer.strata,
        grounds=scorer.grounds,
        batch_size=batch_size,
        pooled=pool.result(),
        detail=detail,
        lpips=lpips,
        trust=scorer if isinstance(scorer, TrustScorer) else None,
        copies=frozenset(n for n, p in predictors.items() if isinstance(p, DoNothing)),
        factor=contract.factor,
    )
