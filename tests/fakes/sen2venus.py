"""SEN2VENµS as it lies on disk: sites of version 2, and the stacks of version 1."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.fakes.noise import octaves, rng

# Column: its bands (the first letter of a position in REFLECTANCE) and pixels of 5 m a side.
COLUMNS = {
    "b2b3b4b8_10m": (("B2", "B3", "B4", "B8"), 2),
    "b2b3b4b8_05m": (("B2", "B3", "B4", "B8"), 1),
    "b5b6b7b8a_20m": (("B5", "B6", "B7", "B8A"), 4),
    "b5b6b7b8a_05m": (("B5", "B6", "B7", "B8A"), 1),
    "b11b12_20m": (("B11", "B12"), 4),
}
REFLECTANCE = {
    "B2": 0.04, "B3": 0.07, "B4": 0.08, "B8": 0.26, "B5": 0.11, "B6": 0.2, "B7": 0.23,
    "B8A": 0.27, "B11": 0.2, "B12": 0.13,
}  # fmt: skip
TILE, DATE = "31TCJ", "2018-03-04"
EPSG = 32631
Numbers = NDArray[np.int16]


def ground(site: str, number: int, side_px: int, seed: int = 0) -> dict[str, Numbers]:
    """One patch by column, ``[C, h, w]``; coarser pixels are the mean of those they cover."""
    draw, steps = rng(seed, site, number), np.arange(side_px) * 5.0
    field = octaves(seed + number, site, steps, -steps, 320.0, 5)
    made = {}
    for column, (bands, times) in COLUMNS.items():
        levels = np.array([REFLECTANCE[band] for band in bands])[:, None, None]
        fine = levels * (1.0 + 0.5 * field[None] / max(float(np.abs(field).max()), 1e-6))
        coarse = fine.reshape(len(bands), side_px // times, times, side_px // times, times)
        noisy = coarse.mean(axis=(2, 4)) + draw.normal(0.0, 0.002, coarse.mean(axis=(2, 4)).shape)
        made[column] = np.rint(noisy * 10000).astype(np.int16)
    return made


def geotiff(values: NDArray[Any], corner: tuple[float, float] | None, times: int) -> bytes:
    """The bytes of a GeoTIFF of ``[C, h, w]``, its upper-left corner in UTM metres."""
    import rasterio

    placed: dict[str, Any] = {}
    if corner is not None:
        grid = rasterio.Affine(5.0 * times, 0, corner[0], 0, -5.0 * times, corner[1])
        placed = {"crs": f"EPSG:{EPSG}", "transform": grid}
    count, height, width = values.shape
    size = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="GTiff", **size, **placed) as file:
            file.write(values)
        return bytes(memory.read())


def corner_of(site_number: int, number: int, side_px: int) -> tuple[float, float]:
    """Where a patch lies: sites 20 km apart, their patches side by side."""
    return 400_000.0 + 20_000.0 * site_number + 5.0 * side_px * number, 4_800_000.0


def write_sites(
    root: Path,
    sites: Mapping[str, int],
    *,
    side_px: int = 32,
    seed: int = 0,
    columns: Sequence[str] = tuple(COLUMNS),
    newline: str = "\n",
    placed: bool = True,
    patch: Any = ground,
) -> Path:
    """Write sites in the layout of version 2.

    Args:
        root: The folder that ``--data`` names.
        sites: Patches of each site.
        side_px: Of a patch at 5 m.
        seed: Of the ground.
        columns: Band groups that are written.
        newline: At the end of a line of the index.
        placed: Whether files say where they lie.
        patch: Makes the patch of a site and number, as :func:`ground` does.
    """
    for place, (site, count) in enumerate(sites.items()):
        folder = root / site
        folder.mkdir(parents=True)
        lines = ["\t".join(["s2_tile", "date", *columns])]
        zips = {c: zipfile.ZipFile(folder / f"{site}_{c}.zip", "w") for c in columns}
        for number in range(count):
            made, cells = patch(site, number, side_px, seed), [TILE, DATE]
            corner = corner_of(place, number, side_px) if placed else None
            for column in columns:
                name = f"{site}_{TILE}_{DATE}_{number:04d}_{column}.tif"
                zips[column].writestr(name, geotiff(made[column], corner, COLUMNS[column][1]))
                cells.append(f"{site}_{column}.zip/{name}")
            lines.append("\t".join(cells))
        for zipped in zips.values():
            zipped.close()
        (folder / "index.csv").write_bytes((newline.join(lines) + newline).encode())
    return root


class _Global:
    """Stands for a name that a pickle is to fetch: pickled as ``module name`` and nothing more."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Storage:
    def __init__(self, kind: str, count: int) -> None:
        self.kind, self.count = kind, count


class _Torch(pickle._Pickler):  # in Python: the C one checks the names it writes
    """Writes what ``torch.save`` writes of a tensor, without torch."""

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, _Storage):
            return ("storage", _Global("torch", obj.kind), "0", "cpu", obj.count)
        return None

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Global):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
            self.memoize(obj)
        elif isinstance(obj, _Call):
            self.save(_Global(*obj.name))
            self.save(obj.args)
            self.write(pickle.REDUCE)
            self.memoize(obj)
        else:
            super().save(obj, save_persistent_id)  # type: ignore[misc]


class _Call:
    def __init__(self, name: tuple[str, str], args: tuple[Any, ...]) -> None:
        self.name, self.args = name, args


def pt_pickle(
    shape: Sequence[int],
    *,
    kind: str = "ShortStorage",
    strides: Sequence[int] | None = None,
    offset: int = 0,
    call: tuple[str, str] = ("torch._utils", "_rebuild_tensor_v2"),
) -> bytes:
    """``data.pkl`` of a tensor, or of something that only looks like one."""
    whole = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
    storage = _Storage(kind, int(np.prod(shape)))
    hooks = _Call(("collections", "OrderedDict"), ())
    stepped = tuple(strides or whole)
    stream = io.BytesIO()
    _Torch(stream, 2).dump(_Call(call, (storage, offset, tuple(shape), stepped, False, hooks)))
    return stream.getvalue()


def pt_bytes(values: NDArray[Any], pickled: bytes | None = None, **others: Any) -> bytes:
    """The bytes of a ``.pt`` file of an array, as torch 1.6 and later write it."""
    kind = {"int16": "ShortStorage", "float32": "FloatStorage"}[values.dtype.name]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        header = pt_pickle(values.shape, **{"kind": kind, **others}) if pickled is None else pickled
        archive.writestr("stack/data.pkl", header)
        archive.writestr("stack/byteorder", b"little")
        archive.writestr("stack/data/0", values.tobytes())
        archive.writestr("stack/version", b"3\n")
    return stream.getvalue()


def write_stacks(root: Path, sites: Mapping[str, int], *, side_px: int = 32, seed: int = 0) -> Path:
    """Write stacks of version 1: four files of a site's one date, the 20 m ones called as there."""
    called = {
        "b2b3b4b8_05m": "05m_b2b3b4b8", "b2b3b4b8_10m": "10m_b2b3b4b8",
        "b5b6b7b8a_05m": "05m_b4b5b6b8a", "b5b6b7b8a_20m": "20m_b4b5b6b8a",
    }  # fmt: skip
    for site, count in sites.items():
        folder = root / site
        folder.mkdir(parents=True)
        made = [ground(site, number, side_px, seed) for number in range(count)]
        for column, tag in called.items():
            stack = np.stack([patch[column] for patch in made])
            (folder / f"{site}_{TILE}_{DATE}_{tag}.pt").write_bytes(pt_bytes(stack))
    return root
