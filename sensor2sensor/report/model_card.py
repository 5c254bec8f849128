"""The card of an exported model: what it is for, of what it was made, how good it is and where not.

A page in Markdown beside the file, rendered from the export, the data set's contract, ``run.json``
and the evaluations of that very run; what none of these say is not claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.config.vocabulary import adversarial
from sensor2sensor.core import files
from sensor2sensor.core.runs import Run, read_run_json
from sensor2sensor.predictors import mlm
from sensor2sensor.predictors.card import OURS
from sensor2sensor.predictors.exported import open_exported, output_of, trained_on
from sensor2sensor.predictors.sidecar import Sidecar, read_sidecar
from sensor2sensor.products.theia import QUANTIFICATION
from sensor2sensor.report.card_scores import Row, score_limits, score_lines, table
from sensor2sensor.report.compare import NOTHING
from sensor2sensor.report.intervals import card_lines
from sensor2sensor.report.load import Result, load

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract

SUFFIX = ".md"
_KINDS = {
    "sentinel3": "a swath of Sentinel-3, brought to a grid of Sentinel-2,",
    "degraded": "an image of the target's bands, as a coarser sensor sees them,",
    "paired": "an image of its own, paired with the target,",
}


@dataclass(frozen=True)
class Subject:
    """What a card is about.

    Attributes:
        stem: Name of the files.
        said: What the export says of itself.
        contract: Of the data set it was trained on.
        settings: What the run's ``experiment.json`` says (:func:`mlm.said_of`).
        facts: Its ``run.json``.
        results: Evaluations of these weights, those of its own data set first.
    """

    stem: str
    said: Sidecar
    contract: DatasetContract
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]
    results: Sequence[Result]


def write_companions(
    path: Path, contract: DatasetContract, run: Run, evaluations: Path
) -> tuple[Path, Path, Sidecar]:
    """Write the model card ``<stem>.md`` and the STAC Item ``<stem>.mlm.json`` of an export.

    Args:
        path: Its sidecar, or its card of the public tool.
        contract: Of the data set it was trained on.
        run: The run it was exported from.
        evaluations: The folder ``_evaluation``.

    Returns:
        The two files, and what the export says of itself.
    """
    said, numbers = _said_by(path, contract)
    settings, facts = mlm.said_of(files.read_json(run.resolved)), read_run_json(run)
    results = _of_these(evaluations, said.provenance)
    card, item = path.with_suffix(SUFFIX), path.with_suffix(mlm.SUFFIX)
    files.write_text(card, card_text(Subject(path.stem, said, contract, settings, facts, results)))
    model = path.parent / said.model
    assets = {
        "sidecar": mlm.asset(path, "What predict reads", _media(path), "metadata"),
        "card": mlm.asset(card, "Model card", "text/markdown", "overview"),
    }
    made = mlm.mlm_item(
        path.stem, said, started=facts["started"], settings=settings, assets=assets,
        output=output_of(said.format, model),
        size_bytes=model.stat().st_size if model.is_file() else None, numbers=numbers,
    )  # fmt: skip
    files.write_json(item, made)
    return card, item, said


def _said_by(path: Path, contract: DatasetContract) -> tuple[Sidecar, float]:
    """What an export says of itself, and what physical values are multiplied by for it."""
    if path.suffix == ".json":
        return read_sidecar(path)[0], 1.0
    opened = open_exported(path)
    known = opened.provenance
    # A card has bands and factor alone; what the data set says of them is known here.
    form = trained_on(opened.form, contract)
    said = Sidecar(
        format="onnx", model=known["file"], sha256=known["sha256"], form=form,
        tiling=opened.tiling, input_upsampling="none", size_px=None,
        provenance=dict(known.get(OURS, {})),
    )  # fmt: skip
    return said, QUANTIFICATION


def _media(path: Path) -> str:
    return "application/json" if path.suffix == ".json" else "application/yaml"


def _of_these(folder: Path, known: Mapping[str, Any]) -> list[Result]:
    """Evaluations of the weights that were exported: of no other run, and of no other step."""
    wanted = known.get("experiment"), known.get("run"), known.get("step")
    found = [
        result
        for result in load(folder).results
        if (result.facts.experiment, result.facts.timestamp, result.facts.step) == wanted
    ]
    return sorted(found, key=lambda result: result.facts.scored_on is not None)


def card_text(subject: Subject) -> str:
    """The page."""
    parts = (_head, _use, _bands, _data, _training, _scores, _intervals, _limits, _licence)
    texts = ("\n\n".join(part(subject)) for part in parts)
    return "\n\n".join(text for text in texts if text) + "\n"


def _head(of: Subject) -> Iterator[str]:
    known = of.said.provenance
    yield f"# {of.stem}"
    yield f"{mlm.title_of(of.said)}."
    yield (
        f"Run {known.get('run')} of experiment `{known.get('experiment')}` at step"
        f" {known.get('step')}, weights: {known.get('weights', 'last')}. File `{of.said.model}`,"
        f" SHA-256 `{of.said.sha256}`."
    )


def _use(of: Subject) -> Iterator[str]:
    form, model = of.said.form, of.said.model
    level = "" if form.level is None else f", level {form.level}"
    pixels = "" if form.input_m is None else f" with pixels of {form.input_m:g} m"
    yield "## Intended use"
    yield f"Input: {_KINDS[form.kind]}{pixels}{level}: the bands below, in the units below."
    grid = " --tile T17XNA" if form.kind == "sentinel3" else ""
    yield f"```\ns2s predict --model {model} --product PRODUCT{grid} --out prediction.tif\n```"
    if grid:
        yield "A swath has no grid of its own: name the tile that is wanted, or `--like`, `--bbox`."


def _bands(of: Subject) -> Iterator[str]:
    form = of.said.form
    yield "## Bands"
    heads = "side", "band", "unit", "wavelength (nm)", "range seen in training"
    sides = (
        ("in", form.input.bands, form.input_ranges),
        ("out", form.target.bands, form.target_ranges),
    )
    rows = [
        (side, band.name, band.unit, _or_nothing(band.wavelength_nm), _range(ranges, place))
        for side, bands, ranges in sides
        for place, band in enumerate(bands)
    ]
    yield table(heads, rows)
    yield "Ranges are the 0.1 % and 99.9 % quantiles of the train split, or the ends of the type."


def _range(ranges: Sequence[tuple[float, float]], place: int) -> str:
    return f"{ranges[place][0]:.4g} to {ranges[place][1]:.4g}" if ranges else NOTHING


def _or_nothing(value: float | None) -> str:
    return NOTHING if value is None else f"{value:g}"


def _data(of: Subject) -> Iterator[str]:
    contract, known = of.contract, of.said.provenance
    yield "## Data"
    yield (
        f"Data set `{contract.name}` (`dataset.json` with SHA-256"
        f" `{known.get('dataset_sha256')}`), {contract.split_policy.described()}."
    )
    shared = contract.split_policy.ground_shared
    heads = "split", "tiles", "blocks of ground", "ground that train shows too"
    rows = [
        (name, info.count, info.blocks or NOTHING, _share(shared.get(name)))
        for name, info in contract.splits.items()
    ]
    yield table(heads, rows)
    if filters := [key for key in _FILTERS if of.settings.get(key)]:
        yield f"Some tiles were left out of training: `{'`, `'.join(filters)}`."


_FILTERS = ("enforce_suffix", "exclude_suffix", "exclude_tiles", "sample_train")


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.3g} %"


def _training(of: Subject) -> Iterator[str]:
    settings, facts = of.settings, of.facts
    terms = {**settings.get("gen_loss", {}), **settings.get("disc_loss", {})}
    losses = {name: weight for name, weight in terms.items() if weight}
    rows: list[Row] = [
        ("steps", f"{of.said.provenance.get('step')} of {facts.get('steps')}"),
        ("batch size", settings.get("batch_size")),
        ("learning rate", settings.get("learning_rate")),
        ("losses", ", ".join(f"`{name}` {weight}" for name, weight in losses.items()) or NOTHING),
        ("normalisation", settings.get("normalisation")),
        ("seed", settings.get("seed")),
        ("precision", settings.get("precision", "float32")),
        ("begun", facts.get("started")),
    ]
    yield "## Training"
    yield table(("", ""), rows)
    share, known = of.said.measured.get("parity_share"), of.said.provenance
    if share is not None:
        yield f"The file differs from the generator by {share:.1e} of a band's range at most."
    elif "parity_dn" in known:
        parity, seam = known["parity_dn"], known["seam_dn"]
        yield (
            f"The file differs from the generator by {parity:.2g} digital numbers at most, windows"
            f" of it at their seams by {seam:.2g}."
        )


def _scores(of: Subject) -> Iterator[str]:
    return score_lines(of.results)


def _intervals(of: Subject) -> Iterator[str]:
    return card_lines(of.said.intervals, of.results)


def _limits(of: Subject) -> Iterator[str]:
    yield "## Limits"
    yield "\n".join(f"* {line}" for line in _limits_of(of))


def _limits_of(of: Subject) -> Iterator[str]:
    form, settings, results = of.said.form, of.settings, of.results
    yield "Values beyond the ranges above, other bands, units or pixel sizes: never seen."
    if form.level is not None:
        yield f"Trained on level {form.level}: another level has other reflectances."
    if form.input.aligned:
        yield (
            "Trained with its input aligned with the target, by a shift that was measured on the"
            " target: inputs of a prediction are not, and neither are those of the scores."
        )
    if form.kind == "degraded":
        yield (
            "Its inputs were made of their targets: a real coarser sensor has noise, another"
            " geometry and another point spread, none of which the scores know of."
        )
    if any(adversarial(name) for name, weight in settings.get("gen_loss", {}).items() if weight):
        yield (
            "Trained against an adversary: detail may be invented. It looks right, and need not be"
            " there."
        )
    if form.target.dtype == "uint8":
        yield "It makes pictures of 8 bits, not measurements."
    if unknown := [band.name for band in form.target.bands if not band.reference]:
        yield f"Nobody measured {', '.join(unknown)} at this resolution: not scored."
    shared = of.contract.split_policy.ground_shared
    if of.contract.split_policy.ground == "unknown":
        yield "Nobody knows which ground its test tiles share with its training."
    elif seen := {name: part for name, part in shared.items() if part > 0}:
        told = ", ".join(f"{100 * part:.3g} % of '{name}'" for name, part in seen.items())
        yield f"Training saw some of the ground it is scored on: {told}."
    yield from score_limits(results)
    if of.said.size_px is not None:
        rows, columns = of.said.size_px
        yield f"It takes {rows} x {columns} pixels at once: larger images are blended of windows."


def _licence(of: Subject) -> Iterator[str]:
    said = of.said.provenance.get("data_licence")
    yield "## Licence"
    data = f"Of the data: {said}" if said else "Of the data: not stated by their data set"
    yield f"{data}. It may bind the weights. Of the weights: none stated."
