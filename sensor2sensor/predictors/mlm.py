"""An exported model for catalogues: a STAC Item with the Machine Learning Model extension 1.4.

What a catalogue needs to find a model and to run it: bands, shapes, file and digest. Where it was
trained is not among it: a data set need not know its ground, so the Item has no geometry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from sensor2sensor.config.vocabulary import adversarial
from sensor2sensor.core.versions import __version__
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.form import Form
from sensor2sensor.dataset.upsampling import OWN_GRID
from sensor2sensor.predictors.sidecar import Sidecar

EXTENSION = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
FILE_EXTENSION = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
SUFFIX = ".mlm.json"
AXES = ["batch", "channel", "height", "width"]
_SHA2_256 = "1220"  # multihash: the function's code and the length of its digest
_RESIZED = {"nearest": "interpolation-nearest", "bicubic": "interpolation-cubic"}
# Of experiment.json: what a training depends on, and no path of anyone's disk.
_TRAINED_BY = (
    "steps", "epochs", "batch_size", "learning_rate", "learning_rate_schedule", "optimizer",
    "normalisation", "input_upsampling", "random_crop", "random_resize", "gen_loss", "disc_loss",
    "params", "ema", "precision", "seed",
)  # fmt: skip
_FORMATS: dict[str, dict[str, str]] = {
    "onnx": {"framework": "ONNX", "package": "onnx", "artifact": "onnx"},
    "savedmodel": {
        "framework": "TensorFlow", "package": "tensorflow", "artifact": "tf.keras.Model.export",
    },
}  # fmt: skip


def mlm_item(
    stem: str,
    said: Sidecar,
    *,
    started: str,
    settings: Mapping[str, Any],
    assets: Mapping[str, Mapping[str, Any]],
    output: str,
    size_bytes: int | None = None,
    numbers: float = 1.0,
) -> dict[str, Any]:
    """The Item.

    Args:
        stem: Name of the files.
        said: What the export says of itself.
        started: When the training began, ISO 8601: the time of the Item.
        settings: The run's ``experiment.json``.
        assets: Further assets: sidecar, model card.
        output: Name of the file's output.
        size_bytes: Of the file; None of a folder.
        numbers: What physical values are multiplied by before they go in.
    """
    known, form = said.provenance, said.form
    counted = {"mlm:total_parameters": known["weights_count"]} if "weights_count" in known else {}
    trained_by = {key: value for key, value in said_of(settings).items() if key in _TRAINED_BY}
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [EXTENSION, FILE_EXTENSION],
        "id": stem,
        "geometry": None,
        "properties": {
            "datetime": started,
            "title": title_of(said),
            "mlm:name": re.sub(
                r"^(?![A-Za-z])", "model_", re.sub(r"[^\w.-]", "_", stem, flags=re.A)
            ),
            "mlm:architecture": str(known.get("model", "unknown")),
            "mlm:tasks": tasks_of(form),
            **_runtime(said.format),
            "mlm:accelerator": None,
            "mlm:accelerator_constrained": False,
            "mlm:batch_size_suggestion": said.batch_size,
            **counted,
            "mlm:pretrained": True,
            "mlm:pretrained_source": form.name,
            **({"mlm:hyperparameters": trained_by} if trained_by else {}),
            "mlm:input": [_input(said, numbers)],
            "mlm:output": [{"name": output, **_output(said, numbers)}],
            "bands": [_band(band) for band in form.input.bands],
            "s2s:version": __version__,
            "s2s:provenance": dict(known),
        },
        "links": [],
        "assets": {"model": _model(said, size_bytes), **assets},
    }


def said_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's ``experiment.json`` says, without what it leaves open.

    Without losses of a discriminator that there is none of, or that the generator never hears, too:
    they stand there as defaults.
    """
    heard = (name for name, weight in settings.get("gen_loss", {}).items() if weight)
    alone = settings.get("discriminator", {}) is None or not any(map(adversarial, heard))
    found = {
        key: {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        for key, value in settings.items()
        if value is not None and not (alone and key == "disc_loss")
    }
    return {key: value for key, value in found.items() if value not in ({}, [])}


def title_of(said: Sidecar) -> str:
    """A line for those who choose: ``carn: 10 bands to 5 m, 2 times as fine``."""
    form, name = said.form, said.provenance.get("model", "model")
    pixels = "" if form.resolution_m is None else f" at {form.resolution_m:g} m"
    finer = f", {form.factor:g} times as fine" if form.factor > 1 else ""
    made = len(form.target.bands)
    return f"{name}: {made} band{'s' * (made != 1)}{pixels}{finer}, trained on {form.name}"


def tasks_of(form: Form) -> list[str]:
    """Of MLM's words: what makes finer pixels, and what makes an image of another."""
    return ["super-resolution"] if form.factor > 1 else ["generative"]


def _runtime(format_: str) -> dict[str, str]:
    said = _FORMATS[format_]
    found = {"mlm:framework": said["framework"]}
    for name in (said["package"], f"{said['package']}-cpu"):
        try:
            return {**found, "mlm:framework_version": metadata.version(name)}
        except metadata.PackageNotFoundError:
            continue
    return found


def _input(said: Sidecar, numbers: float) -> dict[str, Any]:
    form, own = said.form, said.input_upsampling == OWN_GRID
    shape = _shape(said, len(form.input.bands), form.factor if own else 1.0)
    where = "on their own grid" if own else "brought to the target's grid before they go in"
    scaled = [{"type": "processing", "format": "gdal-calc", "expression": f"A * {numbers:g}"}]
    return {
        "name": "input",
        "bands": [band.name for band in form.input.bands],
        "input": {"shape": shape, "dim_order": AXES, "data_type": "float32"},
        "description": f"Physical values {where}; the normalisation is inside the model",
        "resize_type": _RESIZED.get(said.input_upsampling),
        **({"value_scaling": scaled} if numbers != 1 else {}),
        "pre_processing_function": None,
    }


def _output(said: Sidecar, numbers: float) -> dict[str, Any]:
    form = said.form
    bands = ", ".join(f"{band.name} ({band.unit})" for band in form.target.bands)
    scaled = {"format": "gdal-calc", "expression": f"A / {numbers:g}"} if numbers != 1 else None
    return {
        "tasks": tasks_of(form),
        "result": {
            "shape": _shape(said, len(form.target.bands), 1.0),
            "dim_order": AXES,
            "data_type": "float32",
        },
        "description": f"Physical values of {bands}",
        "post_processing_function": scaled,
    }


def _shape(said: Sidecar, channels: int, factor: float) -> list[int]:
    """``[-1, C, H, W]``; -1 is any size."""
    if said.size_px is None:
        return [-1, channels, -1, -1]
    return [-1, channels, *(round(side / factor) for side in said.size_px)]


def _band(band: BandSpec) -> dict[str, Any]:
    nm = band.wavelength_nm
    described = {} if nm is None else {"description": f"centre wavelength {nm:g} nm"}
    return {"name": band.name, "unit": band.unit, "data_type": "float32", **described}


def _model(said: Sidecar, size_bytes: int | None) -> dict[str, Any]:
    kind = _FORMATS[said.format]
    # A folder has no digest that another program would compute.
    file = {"file:size": size_bytes, "file:checksum": f"{_SHA2_256}{said.sha256}"}
    return {
        "href": f"./{said.model}",
        "title": "The model with its weights",
        "type": f"application/octet-stream; framework={kind['framework'].lower()}",
        "roles": ["mlm:model", "mlm:weights", "data"],
        "mlm:artifact_type": kind["artifact"],
        # STAC 1.1 allows bands of an Item only where an asset has them, too.
        "bands": [{"name": band.name} for band in said.form.input.bands],
        **({} if size_bytes is None else file),
    }


def asset(path: Path, title: str, kind: str, role: str) -> dict[str, Any]:
    """A further file beside the model."""
    return {"href": f"./{path.name}", "title": title, "type": kind, "roles": [role]}
