"""``--as-dataset``: photos made of masks, laid out as step 52 reads the Inria data set.

``images/<name>.tif`` is the prediction, ``gt/<name>.tif`` the mask it was made of, pixel by pixel.
Whoever is handed the folder has to learn that no camera took these images.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.form import Form
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.cog import BLOCK_PX, write_cog
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.output import OutputBand
from sensor2sensor.inference.scenes.scene import Image, Scene

_EIGHT_BIT = (0.0, 255.0)
_TITLE = "# Synthetic images"
_SAID = """\
# Synthetic images

No camera took the images of this folder. `images/` was made by the model `{model}` of
sensor2sensor from the masks in `gt/`; the file `images/<name>.json` says how each was made. Do not
measure a model on them as if they were photographs.

Step 52 makes a data set of them:

    python preprocessing/52_create_tfrecords_aerial.py --data {folder} --dataset {folder}
"""


def photo_path(folder: Path, name: str) -> Path:
    """Where the prediction belongs: 8 bits, on the whole mask."""
    return folder / "images" / f"{name}.tif"


def mask_path(folder: Path, name: str) -> Path:
    """Where the mask belongs that a photo was made of."""
    return folder / "gt" / f"{name}.tif"


def refuse_other(form: Form) -> None:
    """Refuse a model that makes no photos of a mask.

    Raises:
        InputError: It is one.
    """
    given, made = form.input.bands, form.target.bands
    photos = all(band.value_range == _EIGHT_BIT for band in made)
    if len(given) != 1 or given[0].value_range != (0.0, 1.0) or not photos or form.factor != 1:
        names = ", ".join(band.name for band in given)
        what = f"the model makes {', '.join(band.name for band in made)} of {names}"
        hint = "that folder holds 8-bit photos made of masks; leave it out"
        raise InputError(what, where="--as-dataset", hint=hint)


def refuse_mean(method: Method) -> None:
    """Refuse several predictors: their mean is blurred where they differ, and no photo.

    Raises:
        InputError: There are several.
    """
    if len(method.predictors) > 1:
        what = f"the mean of {len(method.predictors)} predictions is no photo"
        hint = "leave out --samples, and name one run of one experiment"
        raise InputError(what, where="--as-dataset", hint=hint)


def write_mask(folder: Path, name: str, scene: Scene, model: str) -> Path:
    """Write the mask of a photo that is in the folder, and what the folder is.

    Args:
        folder: Of the data set.
        name: Of the photo.
        scene: The mask, as it was predicted from.
        model: What made the photo.
    """
    path = mask_path(folder, name)
    band = OutputBand("building", "DN", value_range=_EIGHT_BIT)
    tags = {"S2S_SYNTHETIC": f"no: the mask that images/{name}.tif was made of"}
    write_cog(path, scene.frame, (band,), _strips(scene), dtype="uint8", tags=tags, colour=(0,))
    _tell(folder, model)
    return path


def _tell(folder: Path, model: str) -> None:
    """Write what the folder is, unless another run is just doing so."""
    said = folder / "README.md"
    if said.exists() and not said.read_text(encoding="utf-8", errors="replace").startswith(_TITLE):
        said = folder / "SYNTHETIC.md"  # somebody's own words stay
    with suppress(InputError), files.lock(folder / f".{said.name}.lock"):
        files.sweep_of(said)
        files.write_text(said, _SAID.format(model=model, folder=folder.name))


def _strips(scene: Scene) -> Iterator[Image]:
    """0 and 255 ``[h, W, 1]`` of the mask, NaN where it says nothing."""
    height, width = scene.frame.shape
    rows = BLOCK_PX // scene.align_px * scene.align_px or scene.align_px
    for top in range(0, height, rows):
        place = PixelWindow(0, top, width, min(rows, height - top))
        found = scene.window(place)
        if found is None:
            yield np.full((place.height, width, 1), np.nan, np.float32)
            continue
        mask = found.record.input_dense
        assert mask is not None, "a mask is an image"
        yield np.where(found.valid[..., None], mask * np.float32(255), np.float32(np.nan))
