"""GeoTIFF stacks as scenes: bands by name, values by tags or by what the user says of them.

Values are those of step 53, whose layout is known: clear and cloudy images of SEN12MS-CR hold
reflectance x 10000 and their radar lies beside them. Bands whose range the data set fixed are
clipped to it, as every record was that the model has seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.dataset.bands import REFLECTANCE_SCALE, BandSpec
from sensor2sensor.dataset.form import Form
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.gridded import Blocks, Layer
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.rasters import (
    KnownScene,
    digests,
    looked_at,
    pixel_m,
    refined_frame,
    same_place,
    scale_notices,
)
from sensor2sensor.inference.scenes.reading import Read, Remembered
from sensor2sensor.inference.scenes.scene import Frame, Image
from sensor2sensor.inference.scenes.stackfile import StackFile, band_name, open_stack_file
from sensor2sensor.inference.scenes.stackvalues import (
    TOO_BRIGHT,
    clipped,
    coarser,
    limits,
    of_larger_pixels,
    of_level,
    of_no_band,
    of_offset,
    refuse_untold_nodata,
)
from sensor2sensor.products.bands import S2_BANDS
from sensor2sensor.sources.sen12mscr.layout import CLEAR, CLOUDY, RADAR, beside, patch_of
from sensor2sensor.sources.sen12mscr.radar import (
    LIMITS_DB,
    Unit,
    in_db,
    measured,
    refuse_other_unit,
)

_DB = "dB"
_SAME = 0.02  # of a pixel's size
_METRES = re.compile(r"(\d+(?:\.\d+)?)m")


def open_stack(path: Path, form: Form, options: SceneOptions) -> KnownScene:
    """A GeoTIFF, and the radar beside it, opened for a model.

    Raises:
        InputError: It lacks a band, does not say how it is stored, or contradicts what is said.
    """
    stack = _Stack(path, form, options)
    degrades = _is_target(stack.has_m, form, options)
    wanted_m = form.resolution_m if degrades else form.input_m
    notices = [*scale_notices(stack.has_m, wanted_m, options, path), *stack.notices()]
    facts = stack.facts(wanted_m)
    made: dict[str, Any] = {"name": path.stem, "form": form, "facts": facts, "notices": notices}
    if degrades:
        assert form.degradation is not None
        source = Remembered(stack.read([_as_stored(band) for band in form.input.bands]))
        blocks = Blocks(source, stack.main.frame.shape, form.degradation)
        places = tuple(range(len(form.input.bands)))
        layer = Layer(places, 1, blocks.shape, blocks)
        names = [band.name for band in form.input.bands]
        targets = [band.name for band in form.target.bands]
        if set(targets) <= set(names):
            made["truth_places"] = tuple(map(names.index, targets))
        return KnownScene(frame=stack.main.frame, layers=(layer,), source=source, **made)
    frame = refined_frame(stack.main.frame, form, path)
    return KnownScene(frame=frame, layers=stack.layers(), known=stack.truth(frame), **made)


class _Stack:
    """The files of one ground, and how each band of the form is read of them."""

    def __init__(self, path: Path, form: Form, options: SceneOptions) -> None:
        self._form, self._options = form, options
        self._published = patch_of(path.name) is not None
        taken = [band_name(band.name) for band in form.input.bands]
        published = S2_BANDS if self._published else ()
        self.main = open_stack_file(path, options.bands, published, taken)
        of_radar = options.radar != "auto" or options.radar_file is not None
        if of_radar and not any(band.unit == _DB for band in form.input.bands):
            what = f"says nothing to '{form.name}', which takes no radar"
            raise InputError(what, where="--radar, --radar-file", hint="leave it out")
        self._radar = self._radar_file(path)
        self._refuse_lacking()
        bands = form.input.bands
        self._optical = [band for band in bands if band.unit != _DB]
        self._backscatter = [band for band in bands if band.unit == _DB]
        self._unit = self._radar_unit() if self._backscatter else "db"
        self.has_m = pixel_m(self.main.frame) or options.input_m
        asked = options.input_m
        if self.has_m and asked and abs(math.log(self.has_m / asked)) > _SAME:
            what = f"has pixels of {self.has_m:.4g} m, --input-m says {asked:g} m"
            raise InputError(what, where=path, hint="resample it, or leave out --input-m")

    def _radar_file(self, path: Path) -> StackFile | None:
        """The file of the radar bands where they are not in the stack itself."""
        lacking = [b for b in self._form.input.bands if band_name(b.name) not in self.main.names]
        found = self._options.radar_file
        if found is None and lacking and all(band.unit == _DB for band in lacking):
            found = beside(path, RADAR)
        if found is None:
            return None
        if not found.is_file():
            raise InputError("is not there", where=found, hint="check --radar-file")
        radar = open_stack_file(found, published=tuple(LIMITS_DB))
        if not same_place(radar.frame, self.main.frame):
            what = f"does not lie on the pixels of {path.name}"
            raise InputError(what, where=found, hint="resample it to that grid")
        return radar

    def _holder(self, name: str) -> StackFile | None:
        radar = [self._radar] if self._radar and name in LIMITS_DB else []
        return next((file for file in (*radar, self.main) if name in file.names), None)

    def _refuse_lacking(self) -> None:
        """Refuse a stack that lacks bands.

        Raises:
            InputError: All of them at once, with what it has.
        """
        lacking = [
            band.name for band in self._form.input.bands if not self._holder(band_name(band.name))
        ]
        if not lacking:
            return
        if not self.main.named:
            count = len(self.main.names)
            what = f"does not name its {count} band{'s' * (count > 1)}"
            takes = ",".join(band.name for band in self._form.input.bands)
            hint = f"--bands names them in the order of the file; the model takes {takes}"
            raise InputError(what, where=self.main.path, hint=hint)
        what = f"lacks {', '.join(lacking)} (it has {', '.join(self.main.names)})"
        if all(name in LIMITS_DB for name in lacking):
            hint = "--radar-file names the radar of the same ground"
        else:
            hint = of_level(lacking, self._form) or suggestion(lacking[0], self.main.names)
        raise InputError(what, where=self.main.path, hint=hint)

    def _radar_unit(self) -> Unit:
        """What the radar is stored in.

        Raises:
            InputError: It is another unit than is said, or none.
        """
        unit: Unit = "linear" if self._options.radar == "linear" else "db"
        file, numbers = self._numbers(self._backscatter)
        seen = []
        for place in looked_at(file.frame):
            stored, valid = file.read(numbers, place)
            seen.append(np.where(valid, stored, np.nan).reshape(-1, len(numbers)))
        sample = np.concatenate(seen)[None]
        if not np.isfinite(sample).any():
            what = "holds no radar at the 25 places that were looked at"
            raise InputError(what, where=file.path, hint="cut it to where it has data")
        try:
            refuse_other_unit(sample, unit, file.path)
        except DatasetError as error:
            hints = {"db": "add --radar linear to convert it", "linear": "leave out --radar linear"}
            hint = hints[unit] if "--s1-unit" in (error.hint or "") else error.hint
            raise InputError(error.what, where=file.path, hint=hint) from None
        return unit

    def _numbers(self, bands: Sequence[BandSpec]) -> tuple[StackFile, list[int]]:
        names = [band_name(band.name) for band in bands]
        file = self._holder(names[0])
        assert file is not None, "lacking bands were refused"
        if not set(names) <= set(file.names):
            what = f"has {names[0]}, and not {', '.join(set(names) - set(file.names))} beside it"
            raise InputError(what, where=file.path, hint="give both radar bands in one file")
        return file, file.numbers(names)

    def layers(self) -> tuple[Layer, ...]:
        """All bands, those of one pixel size and unit together."""
        every = self._form.input.bands
        made = []
        for group in (self._optical, self._backscatter):
            for step in sorted({self._step(band) for band in group}):
                some = [band for band in group if self._step(band) == step]
                places = tuple(map(every.index, some))
                rows, columns = self.main.frame.shape
                shape = (-(-rows // step), -(-columns // step))
                radar = group is self._backscatter
                read = self._decibels(some) if radar else self.read(some)
                mean = self._form.radar_mean if radar else None
                coarse = coarser(read, step, self.main.frame.shape, mean)
                # A mean of clipped values would be that of neither: radar is clipped at last.
                coarse = clipped(coarse, limits(some)) if radar else coarse
                made.append(Layer(places, step, shape, Remembered(coarse)))
        return tuple(made)

    def _step(self, band: BandSpec) -> int:
        """Pixels of the stack along a side of one of the band's own."""
        if band.unit != _DB:
            return band.native_px
        sizes = [float(found[1]) for one in band.groups if (found := _METRES.fullmatch(one))]
        own_m = self._form.input.pixel_m or 10.0
        return max(1, round(sizes[0] / own_m)) if sizes else 1

    def read(
        self, bands: Sequence[BandSpec], file: StackFile | None = None, *, sampled: bool = False
    ) -> Read:
        """Reads physical values, clipped to fixed ranges; if ``sampled``, nothing is refused."""
        names = [band_name(band.name) for band in bands]
        held = file or self._holder(names[0])
        assert held is not None, "lacking bands were refused"
        numbers = held.numbers(names)
        codings = [self._coding(held, number) for number in numbers]
        low, high = limits(bands)
        divisor = np.array([coding.divisor for coding in codings], np.float32)
        shift = np.array([coding.shift for coding in codings], np.float32)
        reflectance = np.array([band.unit == "reflectance" for band in bands])

        def read(window: PixelWindow) -> Image:
            stored, valid = held.read(numbers, window)
            # Both steps in float32, as dataset.records has them.
            values = (stored.astype(np.float32) + shift) / divisor
            if not sampled:
                refuse_untold_nodata(values[valid & reflectance], held.path)
            return np.where(valid, values.clip(low, high), np.float32(np.nan))

        return read

    def _coding(self, file: StackFile, number: int) -> BandSpec:
        """How a band is stored.

        Raises:
            InputError: Its integers might be anything.
        """
        options = self._options
        scale, offset = file.scales[number], file.offsets[number]
        if options.scale is not None or options.offset is not None:
            scale = scale if options.scale is None else options.scale
            offset = offset if options.offset is None else options.offset
        elif not file.tagged(number) and self._published:
            scale = REFLECTANCE_SCALE
        elif not file.tagged(number) and not file.dtypes[number].startswith("float"):
            what = f"holds {file.dtypes[number]} without tags for scale and offset"
            hint = (
                "give --scale 0.0001 for reflectance x 10000 (of Sentinel-2 since baseline 04.00"
                " --offset -0.1, too), --scale 1 for values as they are"
            )
            raise InputError(what, where=file.path, hint=hint)
        if scale <= 0:
            raise InputError(f"scale {scale:g} is not above 0", where=file.path)
        return BandSpec(
            name=file.names[number], unit="", wavelength_nm=None,
            scale=scale, offset=offset, nodata=None,
        )  # fmt: skip

    def _decibels(self, bands: Sequence[BandSpec]) -> Read:
        """Reads radar in dB, not clipped."""
        file, numbers = self._numbers(bands)
        unit = self._unit

        def read(window: PixelWindow) -> Image:
            stored, valid = file.read(numbers, window)
            known = valid.all(axis=-1) & measured(stored, unit)
            decibels = in_db(stored) if unit == "linear" else stored
            return np.where(known[..., None], decibels, np.nan)

        return read

    def truth(self, frame: Frame) -> Read | None:
        """Reads the clear image beside a cloudy one of SEN12MS-CR."""
        path = self.main.path
        clear = beside(path, CLEAR) if CLOUDY in path.parent.name.casefold() else None
        if clear is None or not self._published:
            return None
        file = open_stack_file(clear, published=S2_BANDS)
        names = {band_name(band.name) for band in self._form.target.bands}
        if not names <= set(file.names) or file.frame != frame:
            return None
        return self.read(self._form.target.bands, file, sampled=True)

    def notices(self) -> list[str]:
        """What the values say against how they are read.

        Raises:
            InputError: Numbers that nobody said the scale of are no reflectance.
        """
        bands = [band for band in self._optical if band.unit == "reflectance"]
        if not bands:
            return []
        read = self.read([_as_stored(band, unclipped=True) for band in bands], sampled=True)
        images = list(map(read, looked_at(self.main.frame)))
        seen = np.concatenate([image.ravel() for image in images])
        known = seen[np.isfinite(seen)]
        if known.size == 0:
            return ["holds no value at the 25 places that were looked at"]
        file, number = self.main, self.main.numbers([band_name(bands[0].name)])[0]
        silent = self._options.scale is None and not file.tagged(number) and not self._published
        bright = float(np.percentile(known, 99))
        if bright > TOO_BRIGHT:
            what = f"holds values of {bright:.4g}, which are no reflectance"
            if silent:
                hint = "give --scale 0.0001 (of Sentinel-2 since baseline 04.00 --offset -0.1, too)"
                raise InputError(what, where=file.path, hint=hint)
            return [f"{what}: check its scale"]
        refuse_untold_nodata(known, file.path)
        offset = of_offset(known, self._coding(file, number), self._published)
        return [*offset, *of_no_band(images, bands), *of_larger_pixels(images, bands)]

    def facts(self, input_m: float | None) -> dict[str, Any]:
        """For provenance."""
        files = [self.main.path, *([self._radar.path] if self._radar else [])]
        said: dict[str, Any] = {"product": self.main.path.stem, "sensor": "stack"}
        if self._optical:
            number = self.main.numbers([band_name(self._optical[0].name)])[0]
            coding = self._coding(self.main, number)
            said |= {"scale": coding.scale, "offset": coding.offset}
        if self._backscatter:
            said["radar"] = self._unit
        return {**said, "pixel_m": self.has_m, "input_m": input_m, "files": digests(*files)}


def _is_target(has_m: float | None, form: Form, options: SceneOptions) -> bool:
    """Whether a stack holds what a model of degraded bands makes, not what it takes."""
    if form.kind != "degraded" or options.input_m is not None or form.degradation is None:
        return False
    if has_m is None or form.resolution_m is None or form.input_m is None:
        return False
    away = [abs(math.log(has_m / one)) for one in (form.resolution_m, form.input_m)]
    return away[0] < away[1]


def _as_stored(band: BandSpec, *, unclipped: bool = False) -> BandSpec:
    """A band as it is read pixel by pixel."""
    change = {"native_px": 1, "value_range": None if unclipped else band.value_range}
    return band.model_copy(update=change)
