"""Bands that a model takes and never looks at: nobody has to have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sensor2sensor.dataset.form import Form
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.scene import Another, Frame, Image, SceneWindow


def without_unseen(form: Form) -> Form:
    """The form of what has to be there; the same one where the model looks at every band."""
    if not form.unseen:
        return form
    seen = [n for n, band in enumerate(form.input.bands) if band.name not in form.unseen]
    bands = tuple(form.input.bands[place] for place in seen)
    ranges = tuple(form.input_ranges[place] for place in seen) if form.input_ranges else ()
    given = form.input.model_copy(update={"bands": bands})
    return form.model_copy(update={"input": given, "input_ranges": ranges, "unseen": ()})


@dataclass(frozen=True)
class Filled(Another):
    """The scene of all other bands, with a constant for each that the model never looks at.

    Attributes:
        form: Of the model.
    """

    form: Form

    @property
    def frame(self) -> Frame:
        """Of the whole."""
        return self.whole.frame

    @property
    def facts(self) -> Mapping[str, Any]:
        """Of the whole, and what was not read."""
        return {**self.whole.facts, "not_read": list(self.form.unseen)}

    def window(self, place: PixelWindow, halo_px: int = 0) -> SceneWindow | None:
        """As :meth:`~.scene.Scene.window`; a band that is not looked at makes no pixel no data."""
        found = self.whole.window(place, halo_px)
        if found is None:
            return None
        record = found.record
        dense = None if record.input_dense is None else self._all(record.input_dense)
        pixels = self._all(record.input_pixels)
        return SceneWindow(replace(record, input_pixels=pixels, input_dense=dense), found.valid)

    def truth(self, place: PixelWindow) -> Image | None:
        """As :meth:`~.scene.Scene.truth`."""
        return self.whole.truth(place)

    def _all(self, values: Image) -> Image:
        """``[..., C]`` of ``[..., c]`` in the order of the form."""
        ranges = self.form.input_ranges or ((0.0, 0.0),) * len(self.form.input.bands)
        # Of its range, so that no normalisation makes more of it than of a value.
        made = np.empty((*values.shape[:-1], len(ranges)), np.float32)
        made[:] = [low for low, _ in ranges]
        names = [band.name for band in self.form.input.bands]
        seen = [place for place, name in enumerate(names) if name not in self.form.unseen]
        made[..., seen] = values
        return made
