"""The JSON of one evaluation as the report reads it; anything else is refused with a reason."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sensor2sensor.config.vocabulary import METRICS_VERSION, TRUTH
from sensor2sensor.dataset.strata import AT, PIXELS

READABLE = (1, METRICS_VERSION)  # earlier numbers are shown, in tables of their own


class _Frozen(BaseModel):
    # Strict, and no NaN: evaluate.py writes null for what it has not, so NaN is another's doing.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Definition(_Frozen):
    """What a metric is; ``undefined`` says why no tile can have it, ``weights`` names a network."""

    label: str
    unit: str
    undefined: str | None = None
    better: Literal["higher", "lower"]
    paper: str
    weights: dict[str, str] | None = None


class Statistics(_Frozen):
    """One metric of one method."""

    mean: float | None
    min: float | None
    max: float | None
    std: float | None
    median: float | None
    count: int
    undefined: int
    infinite: int


class Gain(_Frozen):
    """Paired gain over a baseline; positive is better.

    Earlier evaluations have ``clusters`` and ``cluster_unit`` in place of what is optional here:
    their intervals ignore scenes and tiles without a finite value, so they come to no verdict.
    """

    mean: float | None
    t_low: float | None
    t_high: float | None
    degrees_of_freedom: float | None = None
    bootstrap_low: float | None
    bootstrap_high: float | None
    better_share: float | None
    count: int
    left_out: int
    blocks: int | None = None
    scenes: int | None = None
    over: str = ""
    verdict: Literal["better", "worse", "open", "none"] = "none"
    note: str = "no verdict: the interval ignores scenes; run evaluate.py again"
    clusters: int | None = None
    cluster_unit: str | None = None


class Dataset(_Frozen):
    """The data set that was scored; ``resolution_m`` is None where nobody knows it."""

    name: str
    sha256: str
    kind: str
    tile_px: int
    resolution_m: float | None
    factor: float
    split_policy: dict[str, Any]
    value_ranges: dict[str, list[float]]


class Stratum(_Frozen):
    """A part of the tiles that is scored apart: pixels with a truth, tiles with any.

    ``windows`` are those wholly inside it, by metric; evaluations from before lack them. Of profile
    dsen2cr, which makes its own parts of a data set's strata, they have their centre there, and
    ``by_definition`` names the methods whose scores say nothing.
    """

    extra: str
    values: list[int]
    pixels: int
    tiles: int
    columns: list[str]
    sam_left_out: float = 0.0
    windows: dict[str, int] = {}
    stratum: str | None = None
    against: str = TRUTH
    variant: str = ""
    threshold: float | None = None
    by_definition: list[str] = []


class Pooled(_Frozen):
    """Scores over all pixels at once by method and column, and what they are means over."""

    counts: dict[str, int]
    scores: dict[str, dict[str, float | None]]


Numbers = dict[str, float | None]


class CrossSensor(_Frozen):
    """What profile torchsisr keeps of bands, sites and frequencies.

    ``bands`` and ``sites`` hold means by method, ``real`` or ``simulated`` input and score; ``fda``
    by mode the curves and the rates with their intervals, ``{}`` where no tile has a spectrum.
    """

    simulated: list[str]
    mtf: dict[str, float]
    half_width: int | str
    left_out: list[str]
    mode: Literal["windowed", "torchsisr"]
    intervals: str
    bands: dict[str, dict[str, dict[str, Numbers]]]
    sites: dict[str, dict[str, Any]]
    fda: dict[str, dict[str, Any]]
    warp: dict[str, dict[str, float]]

    def told(self) -> list[str]:
        """What LR RMSE and simulated inputs depend on."""
        mtf = ", ".join(f"{band} {value:g}" for band, value in self.mtf.items())
        return [f"MTF {mtf} (half width {self.half_width})"]


class BandCoverage(_Frozen):
    """How much of the test blocks lies within the intervals of one band.

    ``coverage`` is the mean over blocks of a block's share, which is what the promise is about;
    ``std`` (N - 1; None of one block), ``lowest`` and ``highest`` are over blocks. ``q`` is half a
    width in ``unit``, with score ``spread`` in spreads; ``width`` the mean width in ``unit``.
    """

    unit: str
    q: float
    calibration_blocks: int
    coverage: float
    std: float | None
    lowest: float
    highest: float
    width: float
    blocks: int
    pixels: int


class Intervals(_Frozen):
    """Calibrated intervals of the model, tried on test.

    ``called`` is the name they are shown under (``conformal, 23 blocks``), ``promise`` what may be
    concluded, which belongs wherever a coverage is shown; ``shift`` says in what test is of another
    kind than the calibration's ground, where nothing is promised at all; ``left_out_blocks`` of
    another data set lie on that very ground, and are not among ``test_blocks``.
    """

    level: float
    score: Literal["absolute", "spread"]
    draws: int
    called: str
    calibrated: bool
    calibration_blocks: int
    promise: str
    calibrated_on: str
    edge_px: int
    quantile_error: float
    tiles: int
    test_blocks: int
    bands: dict[str, BandCoverage]
    shift: list[str]
    left_out_blocks: int = 0


class Table(_Frozen):
    """The CSV that the JSON vouches for."""

    file: str
    rows: int
    sha256: str


class FactColumn(_Frozen):
    """What a column of the facts per tile holds; a flag is ``true`` or ``false``."""

    kind: Literal["text", "number", "flag"]
    unit: str
    about: str


class TileFacts(Table):
    """The table of facts per tile, ``<stem>_tiles.csv``; an empty cell is an unknown fact."""

    columns: dict[str, FactColumn]


class Picture(_Frozen):
    """One sheet of the gallery, relative to the evaluation folder.

    ``panel`` is what a picture of rank ``fixed`` shows: ``input``, ``truth``, or the method.
    """

    file: str
    rank: str
    tile: str
    caption: str
    panel: str | None = None


class Trained(_Frozen):
    """The data set that a run was trained on."""

    name: str
    sha256: str


class ScoredOn(_Frozen):
    """A data set that was scored and not trained on, and how much of it training has seen.

    ``ground`` says how that is known: by coordinates (``crs``), by ``group``, or ``unknown``.
    ``seen_tiles`` of ``tiles`` show ground of the other's train split, ``beside_tiles`` more lie in
    its blocks, ``val_tiles`` others show ground of its val split; None where nobody knows.
    ``shared`` names the blocks or groups that both show.
    """

    name: str
    sha256: str
    trained_on: Trained
    differs: list[str] = []  # in what its numbers were made otherwise than in training
    ground: Literal["crs", "group", "unknown"]
    tiles: int
    seen_tiles: int | None
    beside_tiles: int | None = None
    val_tiles: int | None = None  # of evaluations from before the key nobody knows
    shared: list[str] = []
    note: str = ""


class Matched(_Frozen):
    """A target band and the input band that measures the same, by ``name`` or ``wavelength``."""

    target: str
    input: str
    by: Literal["name", "wavelength"]


class Trust(_Frozen):
    """How profile trust, and its kin, held predictions against their input.

    ``maps`` are pictures of the tiles of the gallery: each pixel's class, and the departure from
    what the input supports. ``lines`` are slope and offset from the input's unit, of a swath.
    """

    distance: str
    distance_in_words: str
    as_coded: bool
    quantile: float
    gamma: float
    temperature: float | None
    border_px: int
    shift_limit_px: float
    matched: list[Matched]
    left_out: list[str]
    unmeasured: list[str]
    unit: str
    up: str
    down: str
    lines: dict[str, list[float]] | None
    maps: list[Picture]

    def told(self) -> list[str]:
        """What the scores depend on besides the profile."""
        bands = ", ".join(one.target for one in self.matched)
        return [f"bands {bands}", f"distance {self.distance} ({self.distance_in_words})"]


class Inference(_Frozen):
    """What the generator kept of its training mode."""

    dropout: bool
    draws: int
    norm: str
    batch_size: int
    last_batch: int | None = None  # of evaluations from before the key nobody knows


class EvaluationFile(_Frozen):
    """The whole JSON."""

    format_version: Literal[1]
    metrics_version: Literal[1, 2]
    experiment: str
    timestamp: str
    model_name: str
    model_is_baseline: bool = False
    seed: int | None = None
    recipe: str | None = None  # equal ones on one data set are seeds of one model
    step: int
    at_best: bool | None = None  # the run's best validation is that of this step
    weights: str = "last"
    clipped_pixels: float | None = None
    inference_statistics: str = "moving averages"  # what evaluations from before the key used
    inference: Inference | None = None
    dataset: Dataset
    aligned: list[str] = []  # splits trained on whose inputs are aligned with the target
    scored_on: ScoredOn | None = None  # where it is not the data set trained on
    split: str
    filters: dict[str, str | None]
    profile: str
    metrics: dict[str, Definition]
    sam_left_out: float = 0.0  # version 1 did not keep it
    strata: dict[str, Stratum] = {}
    methods: list[str]
    reference: str | None
    baselines: dict[str, dict[str, Any]]
    tiles: int
    # What told scenes apart until split.csv recorded overpasses.
    scene_unit: str = "inventory and index, as overpasses are not recorded"
    states: dict[str, dict[str, int]]
    summary: dict[str, dict[str, Statistics]]
    gain: dict[str, dict[str, Gain]]
    published: dict[str, float | None] = {}  # by its own keys, of profile pix2pix-maps
    pooled: Pooled | None = None  # of profile dsen2cr
    cross_sensor: CrossSensor | None = None  # of profile torchsisr
    options: list[str] = Field(default=[], alias="set")  # what --set said of the evaluation
    csv: Table
    gallery: list[Picture]
    fixed: list[Picture] = []  # the same tiles for every run of a data set and split
    tile_facts: TileFacts | None = None
    trust: Trust | None = None  # of profile trust and its kin
    intervals: Intervals | None = None  # of a run with calibrated intervals, on test

    @property
    def columns(self) -> list[str]:
        """Columns of the CSV beyond the keys: metrics, those within strata, and their pixels."""
        inner = [column for stratum in self.strata.values() for column in stratum.columns]
        return [*self.metrics, *inner, *(f"{PIXELS}{AT}{name}" for name in self.strata)]
