"""The file of weights that LPIPS looks through: what it holds, and how it is read.

An ``.npz`` without pickles: ``format`` (:data:`FORMAT`), ``backbone`` (``alex`` or ``vgg``), for
each convolution i of the backbone ``kernel_i`` ``[rows, columns, in, out]`` and ``bias_i``
``[out]``, and for each layer l that is looked at ``head_l`` ``[channels]``, its linear weights; all
float32.
``s2s lpips-weights`` makes one of the public files.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError

FORMAT = "sensor2sensor lpips 1"
KEY = "lpips_weights"
HINT = "`s2s lpips-weights --help` makes it of the public files; null leaves LPIPS out"
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Convolution:
    """One convolution with its ReLU.

    Attributes:
        index: Its number among the modules of torchvision's ``features``.
        inputs: Channels it takes.
        outputs: Channels it gives.
        side_px: Edge of its kernel.
        stride: Its stride.
        pool_px: Edge of the maximum over pixels before it, stride 2; 0 for none.
        looked_at: Whether its output is one of the layers of LPIPS.
    """

    index: int
    inputs: int
    outputs: int
    side_px: int
    stride: int
    pool_px: int
    looked_at: bool

    @property
    def pad_px(self) -> int:
        """Zeros on every side."""
        return 2 if self.side_px > 3 else 1


def _alex() -> tuple[Convolution, ...]:
    rows = (
        (0, 3, 64, 11, 4, 0), (3, 64, 192, 5, 1, 3), (6, 192, 384, 3, 1, 3),
        (8, 384, 256, 3, 1, 0), (10, 256, 256, 3, 1, 0),
    )  # fmt: skip
    return tuple(Convolution(*row, looked_at=True) for row in rows)


def _vgg() -> tuple[Convolution, ...]:
    stages = ((0, 64, 2), (5, 128, 2), (10, 256, 3), (17, 512, 3), (24, 512, 3))
    found, inputs = [], 3
    for first, outputs, count in stages:
        for place in range(count):
            pool = 2 if first and not place else 0
            last = place == count - 1
            index = first + 2 * place
            found.append(Convolution(index, inputs, outputs, 3, 1, pool, looked_at=last))
            inputs = outputs
    return tuple(found)


# AlexNet as torchvision has it, and VGG16.
BACKBONES = {"alex": _alex(), "vgg": _vgg()}


@dataclass(frozen=True)
class LpipsFile:
    """A file of weights whose content is known by its hash.

    Attributes:
        path: The file.
        backbone: A key of :data:`BACKBONES`.
        sha256: Of the file.
    """

    path: Path
    backbone: str
    sha256: str

    def told(self) -> dict[str, str]:
        """What an evaluation notes of it."""
        return {"file": self.path.name, "backbone": self.backbone, "sha256": self.sha256}


def shapes(backbone: str) -> dict[str, tuple[int, ...]]:
    """The shape of every array of a backbone's file, by name."""
    found: dict[str, tuple[int, ...]] = {}
    for number, one in enumerate(BACKBONES[backbone]):
        found[f"kernel_{number}"] = (one.side_px, one.side_px, one.inputs, one.outputs)
        found[f"bias_{number}"] = (one.outputs,)
    looked_at = [one for one in BACKBONES[backbone] if one.looked_at]
    return found | {f"head_{place}": (one.outputs,) for place, one in enumerate(looked_at)}


def open_lpips(path: Path) -> LpipsFile:
    """A file of weights, checked.

    Raises:
        ConfigError: It is missing, or no such file.
    """
    backbone, _ = _read(path)
    return LpipsFile(path, backbone, files.sha256(path))


@lru_cache(maxsize=1)
def weights(file: LpipsFile) -> dict[str, npt.NDArray[np.float32]]:
    """The arrays of a file, by name.

    Raises:
        ConfigError: It is missing, or no such file.
    """
    return _read(file.path)[1]


def _read(path: Path) -> tuple[str, dict[str, npt.NDArray[np.float32]]]:
    if not path.is_file():
        raise ConfigError(f"no weights of LPIPS at {path}", where=KEY, hint=HINT)
    try:
        with np.load(path, allow_pickle=False) as held:
            said, backbone = str(held["format"]), str(held["backbone"])
            wanted = shapes(backbone) if said == FORMAT and backbone in BACKBONES else {}
            arrays = {name: np.asarray(held[name], np.float32) for name in wanted}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        problem = f"{path} is no file of weights of LPIPS ({error})"
        raise ConfigError(problem, where=KEY, hint=HINT) from error
    if not wanted:
        raise ConfigError(f"{path} is no file of weights of LPIPS", where=KEY, hint=HINT)
    refuse_misfits(backbone, arrays, str(path))
    return backbone, arrays


def refuse_misfits(backbone: str, arrays: Arrays, where: str) -> None:
    """Refuse arrays that are not a backbone's (ConfigError)."""
    for name, shape in shapes(backbone).items():
        if name not in arrays or arrays[name].shape != shape:
            found = list(arrays[name].shape) if name in arrays else "missing"
            problem = f"{name} is {found}, not {list(shape)} as of backbone {backbone}"
            raise ConfigError(problem, where=where, hint=HINT)
        if not np.isfinite(arrays[name]).all():
            raise ConfigError(f"{name} is not finite", where=where, hint=HINT)
        if name.startswith("head") and (arrays[name] < 0).any():
            raise ConfigError(f"{name} has negative weights", where=where, hint=HINT)


def write_lpips(path: Path, backbone: str, arrays: Arrays) -> None:
    """Write a file of weights, the same bytes for the same numbers.

    Raises:
        ConfigError: The arrays are not those of the backbone.
    """
    refuse_misfits(backbone, arrays, path.name)
    plain = {name: np.asarray(arrays[name], np.float32) for name in shapes(backbone)}
    stream = io.BytesIO()
    np.savez(stream, format=np.array(FORMAT), backbone=np.array(backbone), **plain)  # type: ignore[arg-type]
    files.write_bytes(path, stream.getvalue())
