"""NetCDF files of Sentinel-3 products: packed integers, one file per kind, identical bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from numpy.typing import NDArray

_CHUNK = 512


@dataclass(frozen=True)
class Variable:
    """One variable as stored: raw values, dimension names and attributes."""

    name: str
    dimensions: tuple[str, ...]
    values: NDArray
    attributes: Mapping[str, object] = field(default_factory=dict)
    fill: object = None


def _chunks(shape: tuple[int, ...], *, single: bool) -> tuple[int, ...]:
    return shape if single else tuple(min(n, _CHUNK) for n in shape)


def write_netcdf(
    path: Path,
    variables: list[Variable],
    attributes: Mapping[str, object],
    *,
    single_chunk: bool = False,
) -> None:
    """Write variables to a netCDF-4 file, deflated with the shuffle filter.

    Args:
        path: the file to write.
        variables: in the order they are stored.
        attributes: global attributes.
        single_chunk: store each variable as one chunk (the worst case for windowed reading).
    """
    import h5netcdf

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5netcdf.File(path, "w", track_order=False) as target:
        sizes: dict[str, int] = {}
        for v in variables:
            sizes.update(zip(v.dimensions, v.values.shape, strict=True))
        target.dimensions = sizes
        for key, value in attributes.items():
            target.attrs[key] = value
        for v in variables:
            stored = target.create_variable(
                v.name, v.dimensions, v.values.dtype, fillvalue=v.fill,
                chunks=_chunks(v.values.shape, single=single_chunk),
                compression="gzip", compression_opts=4, shuffle=True,
            )  # fmt: skip
            stored[...] = v.values
            for key, value in v.attributes.items():
                stored.attrs[key] = value
