"""One evaluation, from the predictor of a run to the files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sensor2sensor.config.evaluations import MODEL, PUBLISHED, mode_in_words
from sensor2sensor.config.vocabulary import EXTENDED, TORCHSISR
from sensor2sensor.core import files
from sensor2sensor.core.decoration import decoration
from sensor2sensor.core.lpips_file import open_lpips
from sensor2sensor.core.runs import Run, read_run_json
from sensor2sensor.dataset.ancestry import sources_of, trained_before
from sensor2sensor.dataset.calibration import unread
from sensor2sensor.dataset.contract import CONTRACT_FILE
from sensor2sensor.dataset.exclusion import left_out
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.evaluation.cross_output import show_detail, write_detail
from sensor2sensor.evaluation.fixed import write_fixed
from sensor2sensor.evaluation.gallery import write_gallery
from sensor2sensor.evaluation.joined import write_joined
from sensor2sensor.evaluation.kept import Kept
from sensor2sensor.evaluation.output import (
    Filters,
    Inference,
    Subject,
    noted,
    refuse_taken,
    stem,
    write,
)
from sensor2sensor.evaluation.recipe import recipe_of
from sensor2sensor.evaluation.run import BATCH, Evaluation, evaluate
from sensor2sensor.evaluation.sisr import sisr_of
from sensor2sensor.evaluation.supported import with_interpolation
from sensor2sensor.evaluation.tables import show
from sensor2sensor.evaluation.tile_facts import FactSheet
from sensor2sensor.evaluation.trust_maps import write_trust_maps
from sensor2sensor.pipeline.clipping import clipped_share, in_words
from sensor2sensor.predictors.draws import draws_of
from sensor2sensor.predictors.interval_words import coverage_lines
from sensor2sensor.predictors.protocol import Predictor
from sensor2sensor.predictors.registry import baselines

if TYPE_CHECKING:
    from rich.console import Console

    from sensor2sensor.config.environment import Environment
    from sensor2sensor.config.exclusion import Excluded
    from sensor2sensor.core.lpips_file import LpipsFile
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.evaluation.elsewhere import Elsewhere
    from sensor2sensor.evaluation.shares import Helpers
    from sensor2sensor.pipeline.normalisation import Normalisation

logger = logging.getLogger(__name__)


class ExperimentView(Protocol):
    """The part of ``experiment.Experiment`` that an evaluation reads."""

    name: str
    config: Any
    contract: DatasetContract
    dataset_dir: Path
    environment: Environment
    excluded: Excluded
    normaliser: Normalisation
    run: Run
    SEED: int
    BATCH_SIZE: int


class Session:
    """Scores the predictor of one run on a split of its data set.

    Args:
        experiment: The experiment.
        timestamp: Of the run.
        step: Training step of the restored weights.
        profile: Metric conventions.
        weights: Which weights these are: ``last``, ``ema <decay>``, or ``none`` of a baseline.
        split: The split to score.
        baseline: Whether the model is the baseline of its name.
        named_step: The step, where it was asked for and is part of the files' names.
        options: What ``--set`` said of the evaluation.
        intervals: How much of test the model's intervals hold; None: it has none.
        elsewhere: The data set that is scored, where it is not the one trained on.
        helpers: Processes that score a share each, of the run's own data.
    """

    def __init__(
        self,
        experiment: ExperimentView,
        timestamp: str,
        step: int,
        profile: str,
        weights: str = "last",
        split: str = "test",
        *,
        baseline: bool = False,
        named_step: int | None = None,
        options: Sequence[str] = (),
        intervals: Mapping[str, Any] | None = None,
        elsewhere: Elsewhere | None = None,
        helpers: Helpers | None = None,
    ) -> None:
        self._experiment, self._elsewhere, self._helpers = experiment, elsewhere, helpers
        own = (experiment.dataset_dir, experiment.contract)
        self._place = own if elsewhere is None else (elsewhere.folder, elsewhere.contract)
        self._split = split
        self._profile = profile
        config = experiment.config
        names = experiment.excluded.names
        # Of val what training looks at: calibration blocks must choose no recipe either, by
        # whatever data set they are shown.
        if split == "val":
            names = unread(experiment) if elsewhere is None else names | elsewhere.overlap.aside
        self._filters: Filters = {
            "enforce_suffix": config.enforce_suffix or None,
            "exclude_suffix": config.exclude_suffix or None,
            "exclude_tiles": names & self._names(names),
        }
        # Before a tile is read: what is built anew meanwhile must not pass for what was scored.
        digest = files.sha256(self._place[0] / CONTRACT_FILE)
        known = {} if baseline else read_run_json(experiment.run)
        self.subject = Subject(
            experiment=experiment.name,
            timestamp=timestamp,
            model_name=config.model_name,
            step=step,
            dataset=config.dataset if elsewhere is None else elsewhere.name,
            dataset_sha256=digest,
            scored_on=None if elsewhere is None else elsewhere.as_json(digest),
            aligned=experiment.contract.input.aligned,
            filters=noted(self._filters),
            weights=weights,
            inference_statistics="none" if baseline else config.applied_statistics,
            baseline=baseline,
            named_step=named_step,
            at_best=_at_best(known, step),
            options=tuple(options),
            intervals=intervals,
            seed=None if baseline else experiment.SEED,
            recipe=recipe_of(config, experiment.excluded, options, experiment.run.resolved, known),
        )

    def score(self, predictor: Predictor, console: Console | None = None) -> Evaluation:
        """Evaluate, write ``.csv``, ``.json`` and gallery, and print the tables.

        Args:
            predictor: The run's generator with its weights restored, or its baseline.
            console: Where to print; the terminal by default.

        Raises:
            OutputExistsError: Another experiment's evaluation has the names of these files.
            DatasetError: A file of the data set is missing or changed.
        """
        from rich.console import Console

        # A record file that was cut between two records reads without an error.
        verify_dataset(self._place[0], split=self._split)

        experiment = self._experiment
        folder = experiment.environment.evaluation_dir
        draws = len(draws_of(predictor))
        asked = replace(self.subject, inference=self._inference(draws, 0))
        refuse_taken(folder, stem(asked, self._profile, self._split), asked)
        name = self.subject.model_name
        itself = name if self.subject.baseline and name != PUBLISHED else None
        # With the same filters: a line fitted on other tiles would be another baseline.
        place = self._place
        known = baselines(*place, **self._filters, without=itself)
        if itself is None:
            known = with_interpolation(place[1], self._profile, known)
        predictors: dict[str, Predictor] = {MODEL: predictor, **known}
        sheet = FactSheet(*place, *self._ground())
        weights = experiment.environment.lpips_weights
        lpips = open_lpips(weights) if self._profile == EXTENDED and weights else None
        size = self._at_a_time
        kept = Kept.scores(folder, self._profile, self._known_by(size, lpips))
        evaluation = evaluate(
            predictors,
            *place,
            split=self._split,
            profile=self._profile,
            batch_size=size,
            seed=experiment.SEED,
            sisr=sisr_of(experiment) if self._profile == TORCHSISR else None,
            lpips=lpips,
            facts=sheet,
            kept=kept,
            helpers=self._helpers,
            **self._filters,
        )
        kept.write()
        mode = self._inference(draws, len(evaluation.of(MODEL)))
        self.subject = replace(self.subject, inference=mode)
        clipped = self._clipped()
        shelf = folder / f"{stem(self.subject, self._profile, self._split)}_gallery"
        pictures: list[dict[str, Any]] = []
        named = experiment.config.sample_tiles
        # Before the JSON, which lists it; and no picture is worth the scores.
        with decoration("the gallery", logger.warning):
            pictures = write_gallery(
                evaluation, predictors, *place, shelf, named=named, **self._filters
            )
        with decoration("the pictures of joined squares", logger.warning):
            pictures += write_joined(
                predictor, *place, self._split, shelf, named=named,
                by_batch=self._by_batch and experiment.BATCH_SIZE > 1, **self._filters,
            )  # fmt: skip
        fixed: list[dict[str, Any]] = []
        with decoration("the pictures of the fixed tiles", logger.warning):
            fixed = write_fixed(
                evaluation, predictors, *place, shelf, by_batch=self._by_batch, **self._filters
            )
        if (detail := evaluation.detail) is not None:
            with decoration("the curves and mosaics", logger.warning):
                pictures += write_detail(detail, evaluation.cross_sensor, shelf)
        sections: dict[str, Any] = {}
        maps: list[dict[str, Any]] = []
        if (trust := evaluation.trust) is not None:
            with decoration("the maps of trust", logger.warning):
                maps = write_trust_maps(
                    evaluation, predictors, *place, shelf, named=named, **self._filters
                )
            sections["trust"] = {**trust.facts(), "maps": maps}
        table, facts = write(
            evaluation, folder, replace(self.subject, clipped_pixels=clipped), place[1],
            baselines=known, gallery=pictures, fixed=fixed, facts=sheet,
            sections=sections,
        )  # fmt: skip
        console = console or Console(markup=False, highlight=False)  # [v1] in a path is no style
        show(evaluation, place[1], self._title, console)
        if evaluation.detail is not None:
            show_detail(evaluation.cross_sensor, console)
        if itself is not None:
            console.print(f"the model is the baseline {itself}, which is not compared with itself")
        if self.subject.inference is not None:
            words = mode_in_words(self.subject.inference)
            console.print(f"the model is scored as in training: {words}", soft_wrap=True)
        if clipped is not None:
            words = in_words({self._split: clipped}, legacy=experiment.normaliser.legacy)
            console.print(words, soft_wrap=True)
        for line in (*kept.lines, *self._told()):
            console.print(line, soft_wrap=True)
        count = sum(map(len, (pictures, fixed, maps)))
        console.print(f"wrote {table}, {facts.name} and {count} pictures", soft_wrap=True)
        return evaluation

    @property
    def _title(self) -> str:
        said = self._experiment.contract.input.alignment
        trained = f", trained with {said}" if said else ""
        return (
            f"{self._experiment.name} at step {self.subject.step}, {self.subject.dataset}{trained}"
        )

    def _known_by(self, batch_size: int, lpips: LpipsFile | None) -> dict[str, Any]:
        """What the scores of a baseline follow from, besides profile, code and the baseline."""
        return {
            "dataset_sha256": self.subject.dataset_sha256,
            "split": self._split,
            "filters": dict(self.subject.filters),
            "batch_size": batch_size,
            "lpips": None if lpips is None else lpips.sha256,
        }

    @property
    def _by_batch(self) -> bool:
        """Whether what a tile is predicted with changes its prediction."""
        return self.subject.inference_statistics == "batch"

    @property
    def _at_a_time(self) -> int:
        """Tiles scored together: where they are predicted by batches, whole ones of these."""
        alone = self._experiment.BATCH_SIZE if self._by_batch else BATCH
        return -(-BATCH // alone) * alone

    def _inference(self, draws: int, tiles: int) -> Inference | None:
        dropout = self._experiment.config.inference.dropout
        if self.subject.baseline or not (dropout or self._by_batch):
            return None
        norm = "moving" if self.subject.inference_statistics == "train" else "batch"
        size = self._experiment.BATCH_SIZE
        rest = tiles % size if norm == "batch" else 0
        return Inference(dropout, draws, norm, size, last_batch=rest or None)

    def _clipped(self) -> float | None:
        """Share of the split's target pixels beyond the model's bounds, None without any."""
        experiment = self._experiment
        if experiment.normaliser.bounds is None:
            return None
        return clipped_share(*self._place, experiment.normaliser, self._split, **self._filters)

    def _names(self, excluded: frozenset[str]) -> frozenset[str]:
        """The excluded tiles that the data set has, where it is another than the run's own."""
        if self._elsewhere is None or not excluded:
            return excluded
        return frozenset(row.name for row in read_split(self._place[0]))

    def _ground(self) -> tuple[dict[str, bool | None], ...]:
        """By name whether training, and whether val, shows a tile's ground; of another data set."""
        if self._elsewhere is None:
            return ()
        found = self._elsewhere.overlap
        return tuple({n: of(n) for n in found.tiles} for of in (found.of, found.of_val))

    def _told(self) -> list[str]:
        """Lines on the model's intervals, and on which tiles were scored."""
        held, experiment = self.subject.intervals, self._experiment
        tried = [] if held is None else coverage_lines(held)
        begun = sources_of(experiment.run)
        tried += trained_before(experiment, begun, self._place, self._split)
        if self._elsewhere is None:
            return [*tried, *left_out(self._experiment, self._split)]
        count = len(self._filters["exclude_tiles"] & self._experiment.excluded.names)
        named = [f"exclude_tiles leaves out {count} of its tiles"] if count else []
        return [*tried, *self._elsewhere.lines(), *named]


def _at_best(known: Mapping[str, Any], step: int) -> bool | None:
    """Whether the best validation that a ``run.json`` keeps is that of a step; None without one."""
    best = known.get("best")
    return None if best is None else int(best["step"]) == step
