"""Real images as pairs of two sensors whose geometry differs: a source outside of the package.

    python examples/distorted.py --data FOLDER

FOLDER has s2_chips/, s2_multidate_120m/ and aerial_naip/. Target: the image's own pixels in B2, B3,
B4 and B8. Input: the same ground blurred by Sentinel-2's MTF and decimated twice. For training and
validation the target is moved by a smooth local flow that is known here and to nobody else, for
tests it is not: what a pair of real sensors has, with the truth that no such pair has.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli, files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.notices import load_tensorflow
from sensor2sensor.core.seeds import Purpose, rng
from sensor2sensor.dataset.bands import float_band
from sensor2sensor.dataset.build import dense_input, draft_contract, drawn
from sensor2sensor.dataset.contract import DatasetContract, TargetSpec
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.sources import pictures
from sensor2sensor.sources.source import Item, LeftOut, Listing, Source, listing
from sensor2sensor.sources.writer import options as shared
from sensor2sensor.sources.writer.run import write

WAVELENGTH_NM = {"B2": 492.4, "B3": 559.8, "B4": 664.6, "B8": 832.8}
DISPLAY = ("B4", "B3", "B2")
FACTOR, RESOLUTION_M = 2, 10.0
# Beyond the reach of the blur (3 sigma of 1.2 px) and of the flow; whole input pixels.
MARGIN_PX = 12
BRIGHT, BRIGHT_SHARE = 0.3, 0.01  # cloud: reflectance in B2 that so much of a square may exceed
NEAR, FAR = 0.6, 0.7  # of an image's columns: one split up to here, the other from there

Image = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Chip:
    """One image.

    Attributes:
        name: What its samples begin with: place, and date where there are several.
        place: Where it is; images of one place never are in two splits on one ground.
        file: Below the folder of samples; ``{}`` stands for the band's name in it.
        indexes: Of B2, B3, B4, B8 in the file, from 1.
        splits: Of its near (left) and far columns; equal where it is one split's.
        shift: Added to its numbers.
        divisor: What makes reflectance of them. Of aerial photos (8 bits) and of level 1B (radiance
            in 12 bits) it is none: their numbers are laid where those of Sentinel-2 lie.
    """

    name: str
    place: str
    file: str
    indexes: tuple[int, ...]
    splits: tuple[str, str]
    shift: float = 0.0
    divisor: float = 10_000.0

    def paths(self, folder: Path) -> list[Path]:
        """Its files, one for each band where they are apart.

        Raises:
            InputError: One is not there.
        """
        names = ("B02", "B03", "B04", "B08")
        found = list(dict.fromkeys(folder / self.file.format(name) for name in names))
        for path in found:
            if not path.is_file():
                hint = "--data names the folder of the samples"
                raise InputError("no such file", where=path, hint=hint)
        return found


def _overlap(number: int, split: str) -> Chip:
    file = f"s2_chips/l1b_overlap/{number:02d}.tif"
    name = f"city{number}"
    return Chip(name, name, file, (1, 2, 3, 4), (split, split), divisor=4096.0)


# Which place is tested was chosen by its kind alone, before anything was trained.
CHIPS = (
    Chip(
        "malmo", "malmo", "s2_chips/l1c_T33UUB/S2A_MSIL1C_20170527_T33UUB.mat", (3, 2, 1, 4),
        ("train", "val"),
    ),
    Chip(
        "belgium", "belgium", "s2_chips/l1c_T31UFS/ref_input_S2_{}.tif", (1, 1, 1, 1),
        ("train", "train"),
    ),
    *(_overlap(number, "train") for number in (0, 1, 2)),
    _overlap(3, "val"),
    *(_overlap(number, "test") for number in (4, 5)),
    Chip(
        "naip", "naip", "aerial_naip/m_4709963_se_14_1_20190904.tif", (3, 2, 1, 4),
        ("train", "test"), divisor=1000.0,
    ),
    Chip(
        "zagreb", "zagreb", "s2_multidate_120m/S2A_33TWL_20230815_0_L2A/{}.jp2", (1, 1, 1, 1),
        ("train", "test"),
    ),
    Chip(
        "wroclaw", "wroclaw", "s2_chips/l2a_wroclaw/000000000699_image.tif", (2, 3, 4, 8),
        ("test", "test"),
    ),
    *(
        Chip(
            f"parana{date}", "parana", f"s2_chips/l2a_parana/{date}.tif", (2, 3, 4, 8),
            ("test", "test"), shift=-1000.0,
        )
        for date in (20231217, 20240101)
    ),
)  # fmt: skip


@lru_cache(maxsize=4)
def read(folder: Path, chip: Chip) -> Image:
    """Reflectance ``[H, W, 4]``, NaN where there is none."""
    import rasterio
    import rasterio.errors

    paths = chip.paths(folder)
    if paths[0].suffix == ".mat":
        import h5py

        with h5py.File(paths[0]) as file:
            layers = [file["im10"][index - 1].T for index in chip.indexes]
    else:
        layers = []
        # Level 1B is on the sensor's own grid: that it has no place is no news.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        for number, index in enumerate(chip.indexes):
            with rasterio.open(paths[number % len(paths)]) as file:
                layers.append(file.read(index, out_dtype="float32", masked=True).filled(np.nan))
    numbers = np.stack(layers, axis=-1).astype(np.float32)
    return ((numbers + np.float32(chip.shift)) / np.float32(chip.divisor)).astype(np.float32)


def corners(side: tuple[int, int], tile_px: int) -> Iterator[tuple[int, int, float, float]]:
    """Row and column of every square, and where its columns begin and end as shares of all."""
    rows, columns = ((edge - 2 * MARGIN_PX) // tile_px for edge in side)
    for row in range(rows):
        for column in range(columns):
            yield row, column, column / columns, (column + 1) / columns


def split_of(chip: Chip, begin: float, end: float) -> str | None:
    """The split of a column of squares; None for those that keep two splits apart."""
    near, far = chip.splits
    if near == far or end <= NEAR:
        return near
    return far if begin >= FAR else None


def flow(seed: int, name: str, rows: Values, columns: Values) -> Values:
    """The distortion of one square at positions ``[...]``: ``[..., 2]``, (row, column), in pixels.

    A shift of its own within ±1.5 pixels and, in each direction, a wave of 0.3 to 1 pixel that is
    48 to 128 pixels long: smooth, and never more than 2.5 pixels, 1.25 of the input. Positions are
    in target pixels from the square's upper left corner, its surroundings included.
    """
    drawn = rng(seed, Purpose.FAKES, "distortion", name)
    parts = []
    for _ in range(2):
        shift, height = drawn.uniform(-1.5, 1.5), drawn.uniform(0.3, 1.0)
        length, heading, phase = drawn.uniform(48, 128), *drawn.uniform(0, 2 * np.pi, 2)
        along = rows * np.sin(heading) + columns * np.cos(heading)
        parts.append(shift + height * np.cos(2 * np.pi * along / length + phase))
    return np.stack(parts, axis=-1)


def left_over(seed: int, name: str, registered: Values) -> Values:
    """What is left of the distortion of a square once its target is moved by a flow.

    Args:
        seed: Of the distortions.
        name: Of the square.
        registered: ``[H, W, 2]`` in target pixels; zeros leave the distortion itself.

    Returns:
        ``[H, W, 2]``: from each pixel to where the registered target has it from.
    """
    # The target shows the truth at p + d(p). Moved by f it shows at p what it had at p + f(p).
    at = np.indices(registered.shape[:2]) + 0.5 + MARGIN_PX
    moved = [at[axis] + registered[..., axis] for axis in (0, 1)]
    left: Values = registered + flow(seed, name, *moved)
    return left


class DistortedSource(Source):
    """Squares of all images.

    Args:
        data: Folder of the samples.
        dataset: Name of the data set.
        tile_px: Edge of a square of the target.
        seed: Of the distortions.
        distorted: The splits whose target is moved.
        chips: The images.
    """

    step, version = "distorted", 1

    def __init__(
        self,
        data: Path,
        dataset: str = "distorted",
        tile_px: int = 64,
        seed: int = 0,
        distorted: tuple[str, ...] = ("train", "val"),
        chips: tuple[Chip, ...] = CHIPS,
    ) -> None:
        self._data, self.dataset, self.chips = data, dataset, chips
        self.tile_px, self.seed, self.distorted = tile_px, seed, distorted
        self.drafts = (_draft(dataset, tile_px),)
        self.options = {"tile_px": tile_px, "seed": seed, "distorted": list(distorted)}
        self.command = f"python examples/distorted.py --data {data.name} --tilesize {tile_px}"
        # The shift is what this data set is for, and is known.
        self.looks_for_shift = False

    def plan(self) -> Listing:
        """The squares of every image, without those between two splits."""
        items = []
        for scene, chip in enumerate(self.chips):
            sums = [files.sha256(path) for path in chip.paths(self._data)]
            for row, column, *share in corners(read(self._data, chip).shape[:2], self.tile_px):
                split = split_of(chip, share[0], share[1])
                if split is not None:
                    items.append(
                        Item(
                            name=f"{chip.name}__{row:02d}x{column:02d}",
                            # Blocks of 3 x 3 squares: neighbours resemble each other.
                            unit=f"{chip.place}_{split}_{row // 3}x{column // 3}",
                            made_from={"files": sums, "at": [row, column]},
                            split=split,
                            overpass=chip.name,
                            scene=scene,
                            payload=(chip, row, column, split in self.distorted),
                        )
                    )
        return listing(self.dataset, items)

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        """One square.

        Raises:
            LeftOut: Pixels are missing, it is cloudy, or one value throughout.
        """
        chip, row, column, moved = item.payload
        side = self.tile_px + 2 * MARGIN_PX
        top, left = row * self.tile_px, column * self.tile_px
        wide = read(self._data, chip)[top : top + side, left : left + side]
        if missing := float(1.0 - np.isfinite(wide).all(axis=-1).mean()):
            raise LeftOut(f"{missing:.2%} of it has no data")
        if (bright := float((wide[..., 0] > BRIGHT).mean())) > BRIGHT_SHARE:
            raise LeftOut(f"{bright:.2%} of it is brighter than {BRIGHT:g} in B2")
        if float(wide.std(axis=(0, 1)).min()) < 1e-4:
            raise LeftOut("a band is one value throughout")
        at = np.indices((side, side)) + 0.5
        distortion = flow(self.seed, item.name, at[0], at[1]) if moved else None
        return (pair(item.name, wide, distortion),)


def pair(name: str, wide: Image, distortion: Values | None) -> TileRecord:
    """Input and target of a square with its surroundings ``[H, W, 4]``."""
    from sensor2sensor.pipeline import bicubic, psf

    tf = load_tensorflow()
    image = tf.constant(wide[None])
    low = psf.degrade(image, FACTOR, [psf.MTF[band] for band in WAVELENGTH_NM]).numpy()[0]
    if distortion is not None:
        image = bicubic.warp(image, tf.constant(distortion[None], tf.float32))
    return dense_record(
        name, _inside(image.numpy()[0], MARGIN_PX), _inside(low, MARGIN_PX // FACTOR)
    )


def _inside(image: Image, margin: int) -> Image:
    return np.ascontiguousarray(image[margin:-margin, margin:-margin])


def _draft(name: str, tile_px: int) -> DatasetContract:
    bands = tuple(float_band(band, "reflectance", nm) for band, nm in WAVELENGTH_NM.items())
    pixel_m = FACTOR * RESOLUTION_M
    return draft_contract(
        name=name,
        kind="paired",
        tile_px=tile_px,
        resolution_m=RESOLUTION_M,
        factor=float(FACTOR),
        input=dense_input(bands, "float32", tile_px // FACTOR, pixel_m=pixel_m, display=DISPLAY),
        target=TargetSpec(bands=bands, dtype="float32", display=DISPLAY),
        split_policy=drawn("given", seed=0),
    )


def main() -> int:
    """The door; returns the exit code."""
    parser = cli.parser(__doc__ or "", prog="distorted.py", steps=True)
    pictures.add_arguments(parser, dataset="distorted", holds="the samples")
    parser.add_argument("--tilesize", type=int, default=64, metavar="PX", help="of a square (64)")
    parser.add_argument("--true", action="store_true", help="leave every target where it is")
    shared.add_arguments(parser, ratios=None)
    return cli.main_guard(run, parser)


def run(args: argparse.Namespace) -> int:
    """Write the data set; 1 where a sample had to be refused."""
    env = load_environment(args.environment)
    distorted = () if args.true else ("train", "val")
    folder = pictures.folder_of_data(args)
    source = DistortedSource(folder, args.dataset, args.tilesize, args.seed, distorted)
    return write(source, Path(env.data_root), shared.write_options(args))


if __name__ == "__main__":
    sys.exit(main())
