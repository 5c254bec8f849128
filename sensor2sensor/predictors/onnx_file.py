"""An ONNX file and its card, written and seen to do what the generator does.

A file that does not make what the generator makes, on odd sizes too, is not left behind.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core import files
from sensor2sensor.core.blame import sentence
from sensor2sensor.core.errors import MissingExtraError, ModelContractError
from sensor2sensor.core.seeds import Purpose, rng
from sensor2sensor.core.versions import __version__
from sensor2sensor.dataset.upsampling import by_native_px
from sensor2sensor.predictors.export import Fit, Margin
from sensor2sensor.predictors.onnx_names import put_in_order
from sensor2sensor.products.theia import QUANTIFICATION

Numbers = npt.NDArray[np.float32]
Apply = Callable[[Numbers], Numbers]
Sides = tuple[int, int]
Truths = Sequence[tuple[Apply, Sides]]

INPUT = "input"
PARITY_DN, SEAM_DN = 0.5, 1.0  # digital numbers; the written file has whole ones
_ROUNDING = 1e-5  # of values far beyond reflectance, of which float32 has seven digits
ODD_PX = ((48, 48), (33, 47), (57, 31))
_CORE_PX, _SEAM = 17, 99  # side, and the number of its noise


def reference(generator: Any, normaliser: Any, fit: Fit) -> Apply:
    """The generator as evaluation applies it, in digital numbers, by none of what is exported."""

    def apply(numbers: Numbers) -> Numbers:
        image = np.moveaxis(numbers / np.float32(QUANTIFICATION), 1, -1)
        made = generator(normaliser.input(np.ascontiguousarray(image)), training=False)
        restored = np.asarray(normaliser.restore(np.asarray(made, np.float32)))
        return np.moveaxis(restored[..., list(fit.order)], -1, 1) * np.float32(QUANTIFICATION)

    return apply


def write(
    network: Any, truths: Truths, opened: Callable[[Path], Apply], path: Path, margin: Margin,
    fit: Fit, ranges: npt.NDArray[Any],
) -> dict[str, float]:  # fmt: skip
    """Write an ONNX file that was seen to do what it should, or none.

    Args:
        network: Of :func:`in_digital_numbers`.
        truths: What it has to equal when each is given the same image, the truth with its bands of
            20 m repeated, as records hold them, the file with them enlarged, as the tool gives
            them; each with the sides of the image.
        opened: Opens an ONNX file as a function.
        path: The file.
        margin: Its margin.
        fit: Bands and factor.
        ranges: Value range of each input band, ``[C, 2]``, physical.

    Returns:
        The largest difference from the generator, and across a seam, in digital numbers.

    Raises:
        MissingExtraError: What exports is not installed.
        ModelContractError: A difference is too large, or the network cannot be exported.
    """
    with files.atomic_path(path) as part:
        export_onnx(network, part, len(fit.bands))
        apply = opened(part)
        parity = _parity(apply, truths, path, fit, ranges)
        seam = _seam(apply, fit.factor, margin, path, ranges)
    return {"parity_dn": parity, "seam_dn": seam}


def export_onnx(
    network: Any, part: Path, channels: int, sides: Sequence[int | None] = (None, None)
) -> None:
    """Write what :func:`~sensor2sensor.predictors.export.as_exported` made as an ONNX file.

    Args:
        network: The network.
        part: The file.
        channels: Of its input.
        sides: Rows and columns of its input; None: any.

    Raises:
        MissingExtraError: What exports is not installed.
        ModelContractError: The network cannot be exported.
    """
    import keras

    try:
        import tf2onnx  # noqa: F401 - Keras takes it
    except ImportError:
        hint = "pip install -r requirements/onnx.txt"
        raise MissingExtraError("tf2onnx is not installed", hint=hint) from None
    form = keras.InputSpec(shape=(None, channels, *sides), dtype="float32", name=INPUT)
    exported_as("onnx", network, part, form)
    import onnx

    made = onnx.load(part)
    put_in_order(made)
    onnx.save(made, part)


def exported_as(kind: str, network: Any, part: Path, form: Any) -> None:
    """Have Keras export a network.

    Raises:
        ModelContractError: It cannot.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of Keras' own look at numpy
            network.export(str(part), format=kind, input_signature=[form], verbose=False)
    # Whatever Keras and tf2onnx raise of a layer that the form has not.
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise ModelContractError(f"cannot be exported to {kind} ({why})") from error


def _parity(apply: Apply, truths: Truths, path: Path, fit: Fit, ranges: npt.NDArray[Any]) -> float:
    largest, limit = 0.0, PARITY_DN
    for number, (truth, sides) in enumerate(truths):
        image = as_stored(noise(ranges, sides, number), fit)
        try:
            wanted = truth(image)
        # Whatever a layer raises that wants sides of a certain kind.
        except Exception as error:
            why = f"takes no image of {sides[0]} x {sides[1]} pixels ({sentence(error)[:120]})"
            hint = "the tool gives images of any size: pad within the network"
            raise ModelContractError(f"the generator {why}", hint=hint) from error
        made = apply(as_given(image, fit))
        if made.shape != wanted.shape:
            what = f"makes {list(made.shape)} of {list(image.shape)}, not {list(wanted.shape)}"
            raise ModelContractError(f"the file {what}; it was not left", where=path)
        limit = max(limit, _ROUNDING * float(np.abs(wanted).max()))
        # Not Python's max, which takes NaN for the smaller one.
        largest = float(np.maximum(largest, np.abs(made - wanted).max()))
    if not largest <= limit:
        what = f"the file differs from the generator by {largest:.3g} digital numbers"
        raise ModelContractError(f"{what} (at most {limit:.3g}); it was not left", where=path)
    return largest


def _seam(apply: Apply, factor: int, margin: Margin, path: Path, ranges: npt.NDArray[Any]) -> float:
    """How much a window differs from the same place of a whole image, at white noise.

    Raises:
        ModelContractError: By more than it may, though the margin was not asked for.
    """
    halo = margin.px // factor
    # Not at whole steps of any network that halves: there the result depends on where it begins.
    begins = halo + 9
    image = noise(ranges, (_CORE_PX + 2 * begins,) * 2, _SEAM)
    inner = slice(begins - halo, begins + _CORE_PX + halo)
    cut = slice(begins * factor, (begins + _CORE_PX) * factor)
    own = slice(margin.px, margin.px + _CORE_PX * factor)
    whole, part = apply(image)[..., cut, cut], apply(image[..., inner, inner])[..., own, own]
    difference = float(np.abs(whole - part).max())
    if not difference <= SEAM_DN and not margin.asked:
        what = (
            f"a window differs from the same place of a whole image by {difference:.3g} digital"
            f" numbers with a margin of {margin.px}: the network normalises over its image, or"
            " halves it"
        )
        raise ModelContractError(what, where=path, hint="to export it all the same, say --margin N")
    return difference


def noise(ranges: npt.NDArray[Any], sides: Sides, number: int) -> Numbers:
    """White noise over the bands' ranges and somewhat beyond, ``[1, C, h, w]``, x 10000."""
    draw = rng(0, Purpose.EXPORT, number)
    low, high = np.asarray(ranges, np.float64).T[:, :, np.newaxis, np.newaxis]
    share = draw.uniform(-0.1, 1.1, (len(ranges), *sides))
    made = (low + share * (high - low)) * QUANTIFICATION
    return np.asarray(made, np.float32)[np.newaxis]


def as_stored(image: Numbers, fit: Fit) -> Numbers:
    """``[B, C, h, w]`` as records hold it: coarser bands repeat the first pixel of each block."""
    made, (rows, columns) = image.copy(), image.shape[2:]
    for px, bands in by_native_px(fit.native_px).items():
        own = image[:, bands, ::px, ::px]
        made[:, bands] = own.repeat(px, axis=2).repeat(px, axis=3)[..., :rows, :columns]
    return made


def as_given(stored: Numbers, fit: Fit) -> Numbers:
    """What the tool makes of such an image: coarser bands enlarged bicubically.

    By the matrices of the house's resampling, not by the convolution that a network begins with.
    """
    from sensor2sensor.pipeline import bicubic

    made, (rows, columns) = stored.copy(), stored.shape[2:]
    coefficient = bicubic.coefficient_of(fit.compat)
    for px, bands in by_native_px(fit.native_px).items():
        if px > 1:
            own = np.moveaxis(stored[:, bands, ::px, ::px], 1, -1)
            sides = own.shape[1] * px, own.shape[2] * px
            large = np.asarray(bicubic.resize(own, *sides, coefficient=coefficient))
            made[:, bands] = np.moveaxis(large[:, :rows, :columns], -1, 1)
    return made


def card_text(model: Path, fit: Fit, margin: Margin, provenance: Mapping[str, Any]) -> str:
    """The card: four keys of the tool's, then what is known of the model."""
    from ruamel.yaml import YAML

    keys = {"model": model.name, "bands": list(fit.bands), "factor": fit.factor}
    known = {
        "version": __version__,
        "onnx_sha256": files.sha256(model),
        "radius_px": margin.radius_px,
        "margin_asked": margin.asked,
        "source_m": fit.source_m,
        **provenance,
    }
    stream = io.StringIO()
    writer = YAML()
    writer.default_flow_style, writer.width = False, 10_000  # a digest on one line
    writer.dump({**keys, "margin": margin.px, "sensor2sensor": known}, stream)
    return stream.getvalue()
