"""The sidecar of an exported model: ``<stem>.json`` beside its file, written last.

It holds what a contract and an experiment say of a trained model, and so all that is needed to
apply the file: neither the data set nor the experiment is asked again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.bands import Frozen
from sensor2sensor.dataset.form import Form
from sensor2sensor.predictors.intervals import Intervals
from sensor2sensor.predictors.tiling import Tiling

Format = Literal["onnx", "savedmodel"]
Upsampling = Literal["nearest", "bicubic", "none"]
_AGAIN = "export the model again, or copy all of its files"


class Sidecar(Frozen):
    """What an exported file takes and makes: physical values ``[B, C, H, W]`` in and out.

    Attributes:
        sidecar_version: Of this form.
        format: Of the file.
        model: Its name, beside the sidecar.
        sha256: Its digest; of a folder that of :func:`digest`.
        form: Bands, units and grids.
        tiling: How it is led over a scene.
        input_upsampling: How a tile's input comes to the grid that it takes: ``nearest`` or
            ``bicubic`` to the target's, ``none``: on its own.
        size_px: Rows and columns, target pixels, of the only images it takes; None: of any size,
            in whole steps of ``tiling.align_px``.
        crops: Whether it was trained on crops: then a larger image is given window by window.
        batch_size: Images per call that training could hold.
        precision: What it computes in.
        measured: How it differs from the generator: ``parity`` in each target band's unit,
            ``parity_share`` the largest in shares of a band's range.
        provenance: Experiment, run, step, weights, data set, version: plain JSON.
        intervals: The quantiles of its calibrated intervals; None: it was not calibrated.
    """

    sidecar_version: Literal[1] = 1
    format: Format
    model: str
    sha256: str
    form: Form
    tiling: Tiling
    input_upsampling: Upsampling
    size_px: tuple[int, int] | None
    crops: bool = False
    batch_size: Annotated[int, Field(ge=1)] = 1
    precision: str = "float32"
    measured: dict[str, Any] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)
    # Not written where there is none: other files stay those from before.
    intervals: Annotated[Intervals | None, Field(exclude_if=lambda said: said is None)] = None


def read_sidecar(path: Path) -> tuple[Sidecar, Path]:
    """A sidecar and the file it stands beside, which is there and the one that was meant.

    Raises:
        InputError: It is none, or the file is not there or another one.
    """
    try:
        text = path.read_bytes()
        # From JSON text: strict tuples take its arrays, but no lists of Python.
        said = Sidecar.model_validate_json(text)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "file"
        what = f"is no sidecar of an exported model ({key}: {first['msg']})"
        raise InputError(what, where=path, hint=_AGAIN) from None
    if said.model in ("", ".", "..") or said.model != Path(said.model).name or "\\" in said.model:
        raise InputError(f"model: '{said.model}' is no plain name", where=path, hint=_AGAIN)
    model = path.parent / said.model
    if not model.exists():
        raise InputError(f"there is no {said.model} beside it", where=path, hint=_AGAIN)
    if digest(model) != said.sha256:
        what = f"{said.model} is not the file this was written for (other SHA-256)"
        raise InputError(what, where=path, hint=_AGAIN)
    return said, model


def write_sidecar(path: Path, said: Sidecar) -> None:
    """Write a sidecar: the last file of an export, which makes it one."""
    files.write_json(path, said.model_dump(mode="json"))


def digest(model: Path) -> str:
    """SHA-256 of a file; of a folder that of its files' names and digests, in order."""
    if not model.is_dir():
        return files.sha256(model)
    parts = sorted(path for path in model.rglob("*") if path.is_file())
    lines = [f"{files.sha256(path)}  {path.relative_to(model).as_posix()}\n" for path in parts]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
