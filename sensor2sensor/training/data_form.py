"""What a run's weights learned from, as far as other data can differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.runs import Run, read_run_json
from sensor2sensor.dataset.contract import CONTRACT_FILE, DatasetContract, load_contract

if TYPE_CHECKING:
    from sensor2sensor.training.contract import ExperimentView

Form = dict[str, Any]
SIDES = ("input", "target")
LISTED = 4  # ranges in a line; run.json has them all


def data_form(contract: DatasetContract) -> Form:
    """Name, unit and value range of every band, the pixels, the rules of masks; plain JSON."""
    ranges = {"input": contract.input_ranges(), "target": contract.target_ranges()}
    specs = {"input": contract.input.bands, "target": contract.target.bands}
    bands = {
        side: [
            {"name": band.name, "unit": band.unit, "range": [float(end) for end in ends]}
            for band, ends in zip(specs[side], ranges[side], strict=True)
        ]
        for side in SIDES
    }
    masks = {extra.name: extra.variant for extra in contract.extras if extra.variant}
    pixels = {"pixel_m": contract.resolution_m, "factor": contract.factor}
    return {**bands, **pixels, "masks": masks}


def form_of(run: Run, experiment: ExperimentView) -> Form | None:
    """That of the data of another run; None where its data set is gone and it noted none."""
    content = read_run_json(run)
    if "data" in content:
        return dict(content["data"])
    tilesize = files.read_json(run.resolved)["tilesize"]
    folder = experiment.dataset_dir.parent.parent / content["dataset"]["name"] / str(tilesize)
    file = folder / CONTRACT_FILE
    if not file.is_file() or files.sha256(file) != content["dataset"]["sha256"]:
        return None
    try:
        return data_form(load_contract(folder))
    except DatasetError:  # of a version that is not read any more
        return None


def other_bands(there: Form, here: Form) -> str | None:
    """A phrase where the bands or units of a side are others, else None."""
    for side in SIDES:
        then, now = ([(b["name"], b["unit"]) for b in form[side]] for form in (there, here))
        if then != now:
            return f"{side} bands are {_named(then)} there, {_named(now)} here"
    return None


def other_masks(there: Form, here: Form) -> str | None:
    """A phrase where masks were made by another published rule, else None or where not noted."""
    known = there["masks"] if "masks" in there else here["masks"]
    pairs = ((name, known[name], now) for name, now in here["masks"].items() if name in known)
    told = [
        f"{name} of variant {then} there, {now} here" for name, then, now in pairs if then != now
    ]
    return "; ".join(told) or None


def _named(bands: list[tuple[str, str]]) -> str:
    units = dict.fromkeys(unit for _, unit in bands)
    return f"{', '.join(name for name, _ in bands)} ({', '.join(units)})"


def differences(there: Form, here: Form) -> Form:
    """What may differ between data of the same bands: of each thing the value there and here."""
    found: Form = {
        key: [there[key], here[key]] for key in ("pixel_m", "factor") if there[key] != here[key]
    }
    pairs = [(side, *pair) for side in SIDES for pair in zip(there[side], here[side], strict=True)]
    ranges = {
        f"{side} {now['name']}": [then["range"], now["range"]]
        for side, then, now in pairs
        if then["range"] != now["range"]
    }
    return {**found, **({"ranges": ranges} if ranges else {})}


def in_words(found: Form) -> str:
    """The line for :func:`differences`."""
    parts = []
    if "pixel_m" in found:
        then, now = (f"{m:g} m" if m is not None else "unknown" for m in found["pixel_m"])
        parts.append(f"pixels {then} there, {now} here")
    if "factor" in found:
        parts.append("input pixels of {:g} target pixels there, {:g} here".format(*found["factor"]))
    if "ranges" in found:
        pairs = found["ranges"].items()
        told = [f"{name} {_ends(then)} there, {_ends(now)} here" for name, (then, now) in pairs]
        more = f" and {len(told) - LISTED} more" if len(told) > LISTED else ""
        parts.append(f"ranges {'; '.join(told[:LISTED])}{more}")
    return "; ".join(parts)


def _ends(ends: list[float]) -> str:
    return f"{ends[0]:.4g} to {ends[1]:.4g}"
