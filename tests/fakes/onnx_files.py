"""Small ONNX files and their sidecars, without TensorFlow: a gain, every pixel ``factor`` times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sensor2sensor.dataset.form import Form, form_of
from sensor2sensor.predictors.sidecar import Sidecar, digest, write_sidecar
from sensor2sensor.predictors.tiling import Tiling
from tests.fakes_dataset import toy_contract

OUTPUT = "Identity:0"  # as converters from TensorFlow name it


def write_onnx(
    path: Path, channels: int, *, factor: int = 1, gain: float = 1.0,
    sides: Sequence[int | None] = (None, None), order: Sequence[int] | None = None,
) -> Path:  # fmt: skip
    """``[B, C, h, w] -> [B, C, h f, w f]``: nearest pixels times ``gain``, bands in ``order``."""
    import onnx
    from onnx import TensorProto, helper

    floats, whole = TensorProto.FLOAT, TensorProto.INT64
    constants = [
        helper.make_tensor("gain", floats, [1], [gain]),
        helper.make_tensor("scales", floats, [4], [1.0, 1.0, float(factor), float(factor)]),
        helper.make_tensor("order", whole, [channels], list(order or range(channels))),
    ]
    nodes = [
        helper.make_node("Mul", ["input", "gain"], ["gained"]),
        helper.make_node("Gather", ["gained", "order"], ["ordered"], axis=1),
        helper.make_node(
            "Resize", ["ordered", "", "scales"], [OUTPUT], mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        ),
    ]  # fmt: skip
    shapes = [None, channels, *sides], [None, channels, None, None]
    ends = [
        helper.make_tensor_value_info(name, floats, shape)
        for name, shape in zip(("input", OUTPUT), shapes, strict=True)
    ]
    graph = helper.make_graph(nodes, "gain", ends[:1], ends[1:], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, path)
    return path


def toy_form(**changed: Any) -> Form:
    """Of three bands, one and the same grid of 10 m on both sides unless it is ``changed``."""
    contract = toy_contract("pairs", "degraded", 1, 32, 0)
    return form_of(contract).model_copy(update=changed)


def write_exported(
    folder: Path, form: Form, *, stem: str = "toy", upsampling: str = "nearest", factor: int = 1,
    gain: float = 1.0, size_px: tuple[int, int] | None = None, crops: bool = False,
    tiling: Tiling | None = None,
) -> Path:  # fmt: skip
    """Such a file with its sidecar, whose path is returned."""
    channels = len(form.input.bands)
    sides = (None, None) if size_px is None else (size_px[0] // factor, size_px[1] // factor)
    model = write_onnx(
        folder / f"{stem}.onnx", channels, factor=factor, gain=gain, sides=sides
    )  # fmt: skip
    halo = Tiling(0, align_px=factor) if size_px is None else Tiling(None, size_px, factor, 8)
    said = Sidecar(
        format="onnx", model=model.name, sha256=digest(model), form=form, tiling=tiling or halo,
        input_upsampling=upsampling, size_px=size_px, crops=crops, batch_size=2,
        provenance={"experiment": "a/toy", "run": "0101-0000", "step": 7},
    )  # fmt: skip
    path = folder / f"{stem}.json"
    write_sidecar(path, said)
    return path
