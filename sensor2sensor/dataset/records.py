"""One tile as a record: serialised deterministically, parsed without guessing.

Features of a record (all ``bytes_list`` of raw little-endian C-order arrays but texts, in UTF-8):

* ``name``: the record's name; ``source``: what it was made from, for repeated builds.
* ``target [H, W, Ct]``: in the contract's target type.
* layout ``pixels``: ``input_pixels [K, Ci]``, ``input_xy [K, 2]`` float32, ``input_index [H, W]``.
* layout ``dense``: ``input [h, w, Ci]`` on its own grid (``contract.input_px``), which may be that
  of the target.
* ``extra/<name>``: what the contract lists beside, an array or a text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec
from sensor2sensor.dataset.example import example_class

Array = npt.NDArray[Any]
XY_DTYPE = "float32"  # metres within a tile: half a millimetre at 5 km
HEADER_BYTES, FOOTER_BYTES = 12, 4  # TFRecord frame: length and its CRC, data, CRC of the data
_WHOLE = "are they reflectances made from integer digital numbers?"
_FLOATS = "build the data set anew without --compact"
STORED_TOLERANCE = 2e-7  # physical units; what float32 itself loses around 1


@dataclass(frozen=True)
class TileRecord:
    """One tile in physical values.

    Attributes:
        name: ``<inventory>__<stem of the tif>``, or what else its source calls it.
        target: ``[H, W, Ct]`` float32, in the unit of its bands.
        input_pixels: ``[K, Ci]`` float32, the input on its own pixels (``[0, Ci]`` when dense).
        input_xy: ``[K, 2]`` float64, centres of the input pixels in metres within the tile: x to
            the right of its left edge, y down from its upper edge. The centre of target pixel (row
            r, column c) is ``((c + 0.5) * resolution_m, (r + 0.5) * resolution_m)``.
        input_index: ``[H, W]`` int32, 0 for no input, else 1 + row of ``input_pixels``.
        extras: What the contract lists beside: by name an array of its shape and type, a text as a
            0-d array of one string.
        input_dense: ``[h, w, Ci]`` float32, an input stored as an image on its own grid or, where h
            and w are H and W, on the target's; else None.
        incomplete_blocks: Blocks of the input that lack pixels. Said by who makes the record and
            kept in ``split.csv``: a decoded one says 0.
    """

    name: str
    target: npt.NDArray[np.float32]
    input_pixels: npt.NDArray[np.float32]
    input_xy: npt.NDArray[np.float64]
    input_index: npt.NDArray[np.int32]
    extras: Mapping[str, Array] = field(default_factory=dict)
    input_dense: npt.NDArray[np.float32] | None = None
    incomplete_blocks: int = 0


def dense_record(
    name: str,
    target: npt.NDArray[np.float32],
    dense: npt.NDArray[np.float32],
    extras: Mapping[str, Array] | None = None,
) -> TileRecord:
    """A record whose input is an image ``[h, w, Ci]``: it has no table of pixels."""
    pixels = np.empty((0, dense.shape[-1]), np.float32)
    index = np.zeros(target.shape[:2], np.int32)
    return TileRecord(name, target, pixels, np.empty((0, 2)), index, extras or {}, dense)


def to_stored(values: Array, bands: tuple[BandSpec, ...], dtype: str, where: str) -> Array:
    """Physical values ``[..., C]`` in the type they are stored in.

    Raises:
        DatasetError: Values are not finite, or the type cannot hold them within the bands' error,
            which mostly is none.
    """
    if not np.isfinite(values).all():
        bad = [b.name for i, b in enumerate(bands) if not np.isfinite(values[..., i]).all()]
        raise DatasetError(f"NaN or infinity in {', '.join(bad)}", where=where)
    if dtype == "float32":
        return np.ascontiguousarray(values, dtype=np.float32)
    divisor, shift = _linear(bands, np.float64)
    # Rounded and held against the value: what the type cannot hold is refused, never changed.
    stored = np.rint(values.astype(np.float64) * divisor - shift)
    limits = np.iinfo(np.dtype(dtype))
    error = np.abs((stored + shift) / divisor - values)
    bad_range = bool((stored < limits.min).any() or (stored > limits.max).any())
    allowed = STORED_TOLERANCE * _magnitude(values) + np.array([band.error for band in bands])
    if bad_range or bool((error > allowed).any()):
        raise DatasetError(
            f"values do not fit {dtype} with the bands' scale and offset",
            where=where,
            hint=_FLOATS if any(band.error for band in bands) else _WHOLE,
        )
    return np.ascontiguousarray(stored.astype(dtype))


def _magnitude(values: Array) -> float:
    return max(1.0, float(np.abs(values).max(initial=0.0)))


def to_physical(stored: Array, bands: tuple[BandSpec, ...]) -> npt.NDArray[np.float32]:
    """Stored numbers ``[..., C]`` as physical values: ``(stored + shift) / divisor`` in float32."""
    # Both steps in float32, as step 40 computed it: in float64 the last bit could differ.
    divisor, shift = _linear(bands, np.float32)
    return ((stored.astype(np.float32) + shift) / divisor).astype(np.float32)


def _linear(bands: tuple[BandSpec, ...], dtype: type) -> tuple[Array, Array]:
    return (
        np.array([b.divisor for b in bands], dtype=dtype),
        np.array([b.shift for b in bands], dtype=dtype),
    )


def encode(record: TileRecord, contract: DatasetContract, source: str = "") -> bytes:
    """Serialise a record; equal records give equal bytes.

    Args:
        record: The tile in physical values.
        contract: How it is stored.
        source: What it was made from, kept so that a repeated build can tell whether it is current.

    Raises:
        DatasetError: Shapes or values do not follow the contract; the tile is named.
    """
    feature = {"name": record.name.encode("utf-8"), "source": source.encode("utf-8")}
    for key, value in _arrays(record, contract).items():
        feature[key] = _little_endian(value).tobytes()
    example = example_class()()
    for key in sorted(feature):
        example.features.feature[key].bytes_list.value.append(feature[key])
    # Protobuf maps have no order of their own: without this the bytes differ from run to run.
    return bytes(example.SerializeToString(deterministic=True))


def identity(data: bytes) -> tuple[str, str]:
    """Name and source of a serialised record."""
    features = _features(data)
    try:
        return features["name"].decode("utf-8"), features["source"].decode("utf-8")
    except KeyError:
        raise DatasetError("a record without a name or source") from None


def _little_endian(array: Array) -> Array:
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _arrays(record: TileRecord, contract: DatasetContract) -> dict[str, Array]:
    """The arrays of a record in the types of the contract."""
    target_shape = (contract.tile_px, contract.tile_px, len(contract.target.bands))
    _same_shape(record.target, target_shape, "target", record.name)
    arrays = {
        "target": to_stored(
            record.target, contract.target.bands, contract.target.dtype, record.name
        )
    }
    if contract.input.layout == "dense":
        dense = record.input_dense if record.input_dense is not None else np.empty(0)
        _same_shape(dense, _dense_shape(contract), "input", record.name)
        arrays["input"] = to_stored(dense, contract.input.bands, contract.input.dtype, record.name)
    else:
        arrays |= _pixel_arrays(record, contract)
    for extra in contract.extras:
        arrays[f"extra/{extra.name}"] = _extra(record, extra)
    return arrays


def _dense_shape(contract: DatasetContract) -> tuple[int, ...]:
    """``(h, w, Ci)`` of an input stored as an image."""
    return (*(contract.input_px or ()), len(contract.input.bands))


def _extra(record: TileRecord, spec: ExtraSpec) -> Array:
    """An extra in its stored type.

    Raises:
        DatasetError: It is missing, of another shape, its type cannot hold it (a class that wraps
            around would be another class), or a picture is not finite.
    """
    if spec.name not in record.extras:
        raise DatasetError(f"lacks the extra '{spec.name}'", where=record.name)
    value = np.asarray(record.extras[spec.name])
    _same_shape(value, spec.shape, spec.name, record.name)
    if spec.dtype == "string":
        # As bytes: NumPy's own text type pads with zeros, which nobody could tell from the text's.
        return np.frombuffer(str(value).encode("utf-8"), dtype=np.uint8)
    try:
        with np.errstate(invalid="ignore", over="ignore"):
            stored = value.astype(spec.dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise DatasetError(
            f"'{spec.name}' is no {spec.dtype} ({error})", where=record.name
        ) from None
    whole = stored.dtype.kind in "iu"
    # A float32 turns what it cannot hold into infinity.
    if not (np.array_equal(stored, value) if whole else _same_finite(stored, value)):
        raise DatasetError(f"values of '{spec.name}' do not fit {spec.dtype}", where=record.name)
    # One NaN of a picture spoils all that is resized with it; a number may be unknown.
    if spec.role != "value" and not np.isfinite(stored).all():
        raise DatasetError(f"NaN or infinity in '{spec.name}'", where=record.name)
    return stored


def _same_finite(stored: Array, value: Array) -> bool:
    return np.array_equal(np.isfinite(stored), np.isfinite(value.astype(np.float64)))


def _pixel_arrays(record: TileRecord, contract: DatasetContract) -> dict[str, Array]:
    spec = contract.input
    k = len(record.input_pixels)
    _same_shape(record.input_pixels, (k, len(spec.bands)), "input_pixels", record.name)
    _same_shape(record.input_xy, (k, 2), "input_xy", record.name)
    _same_shape(
        record.input_index, (contract.tile_px, contract.tile_px), "input_index", record.name
    )
    if not 1 <= k <= spec.max_pixels:
        raise DatasetError(
            f"{k} input pixels, the contract allows 1 to {spec.max_pixels}", where=record.name
        )
    if record.input_index.min() < 1 or record.input_index.max() > k:
        raise DatasetError("a target pixel has no input pixel", where=record.name)
    return {
        "input_pixels": to_stored(record.input_pixels, spec.bands, spec.dtype, record.name),
        "input_xy": np.ascontiguousarray(record.input_xy, dtype=XY_DTYPE),
        "input_index": np.ascontiguousarray(record.input_index.astype(spec.index_dtype)),
    }


def _same_shape(array: Array, shape: tuple[int, ...], what: str, where: str) -> None:
    if array.shape != shape:
        raise DatasetError(
            f"{what} is {list(array.shape)}, the contract says {list(shape)}", where=where
        )


def decode(data: bytes, contract: DatasetContract) -> TileRecord:
    """Parse a serialised record into physical values.

    Raises:
        DatasetError: It is damaged or does not follow the contract.
    """
    features = _features(data)
    name = features["name"].decode("utf-8") if "name" in features else "record without a name"
    tile = contract.tile_px
    target = _parse(
        features, "target", contract.target.dtype, (tile, tile, len(contract.target.bands)), name
    )
    values = to_physical(target, contract.target.bands)
    extras = {spec.name: _parse_extra(features, spec, name) for spec in contract.extras}
    spec, n = contract.input, len(contract.input.bands)
    if spec.layout == "dense":
        stored = _parse(features, "input", spec.dtype, _dense_shape(contract), name)
        dense = to_physical(stored, spec.bands)
        return dense_record(name, values, dense, extras)
    pixels = to_physical(_parse(features, "input_pixels", spec.dtype, (-1, n), name), spec.bands)
    xy = _parse(features, "input_xy", XY_DTYPE, (len(pixels), 2), name).astype(np.float64)
    index = _parse(features, "input_index", spec.index_dtype, (tile, tile), name)
    return TileRecord(name, values, pixels, xy, index.astype(np.int32), extras)


def input_values(data: bytes, contract: DatasetContract) -> npt.NDArray[np.float32]:
    """Only the input values of a record, ``[n, Ci]`` physical: each stored pixel once."""
    spec, n = contract.input, len(contract.input.bands)
    key = "input" if spec.layout == "dense" else "input_pixels"
    return to_physical(_parse(_features(data), key, spec.dtype, (-1, n), "record"), spec.bands)


def used_input_values(data: bytes, contract: DatasetContract) -> npt.NDArray[np.float32]:
    """The input values that target pixels are matched with, ``[n, Ci]`` physical, each once.

    A table of pixels also holds those around them, for interpolation up to the tile's edge. They
    may be samples of another split, so nothing that training uses is measured on them.
    """
    values, spec = input_values(data, contract), contract.input
    if spec.layout == "dense":
        return values
    shape = (contract.tile_px, contract.tile_px)
    index = _parse(_features(data), "input_index", spec.index_dtype, shape, "record")
    return values[np.unique(index[index > 0]).astype(np.int64) - 1]


def target_values(data: bytes, contract: DatasetContract) -> npt.NDArray[np.float32]:
    """Only the target values of a record, ``[H * W, Ct]`` physical."""
    tile, bands = contract.tile_px, contract.target.bands
    stored = _parse(
        _features(data), "target", contract.target.dtype, (tile, tile, len(bands)), "record"
    )
    return to_physical(stored.reshape(-1, len(bands)), bands)


def pixels_sha256(data: bytes, contract: DatasetContract) -> str:
    """Digest of the pixels that a record holds, both sides; empty where its target is one colour.

    Equal ones are one picture, whatever its name, its file's compression or its extras.
    """
    features, bands = _features(data), len(contract.target.bands)
    target = _parse(features, "target", contract.target.dtype, (-1, bands), "record")
    if (target == target[:1]).all():
        return ""
    dense = contract.input.layout == "dense"
    keys = ("input",) if dense else ("input_pixels", "input_index")
    return hashlib.sha256(b"".join(features.get(key, b"") for key in ("target", *keys))).hexdigest()


def _features(data: bytes) -> dict[str, bytes]:
    from google.protobuf.message import DecodeError

    try:
        example = example_class().FromString(data)
    except DecodeError as error:
        raise DatasetError(
            f"a record cannot be parsed ({error})",
            hint="verify the data set and rebuild it with its step (50 to 55)",
        ) from None
    return {key: value.bytes_list.value[0] for key, value in example.features.feature.items()}


def _parse_extra(features: Mapping[str, bytes], spec: ExtraSpec, name: str) -> Array:
    if spec.dtype != "string":
        return _parse(features, f"extra/{spec.name}", spec.dtype, spec.shape, name)
    return np.array(_parse(features, f"extra/{spec.name}", "uint8", (-1,), name).tobytes().decode())


def _parse(
    features: Mapping[str, bytes], key: str, dtype: str, shape: tuple[int, ...], name: str
) -> Array:
    try:
        raw = np.frombuffer(features[key], dtype=np.dtype(dtype).newbyteorder("<"))
        # frombuffer's array is read-only and little-endian; astype makes one of the machine's own.
        return raw.reshape(shape).astype(dtype)
    except (KeyError, ValueError):
        what = f"'{key}' does not hold {list(shape)} {dtype} as dataset.json says"
        raise DatasetError(
            what, where=name, hint="rebuild the data set with its step (50 to 55)"
        ) from None
