"""What sources of picture files share: options and names, bands of photos, squares to cut."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.paths import expanded
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.sources.writer.options import dataset_name_fault, wrong_values

COLOURS = ("red", "green", "blue")


def add_arguments(parser: argparse.ArgumentParser, *, dataset: str, holds: str) -> None:
    """``--data``, ``--dataset`` and ``--name``.

    Args:
        parser: The door's.
        dataset: Default of ``--dataset``.
        holds: What the folder of ``--data`` holds, for the help.
    """
    add = parser.add_argument_group("pictures").add_argument
    add("--data", required=True, metavar="FOLDER", help=f"folder that holds {holds}")
    add("--dataset", default=dataset, metavar="D", help=f"name of the data set ({dataset})")
    add(
        "--name",
        metavar="NAME",
        help="what the names of its samples begin with (the folder's own name); --add takes in a"
        " folder of another name",
    )


def refuse_wrong(args: argparse.Namespace, wrong: Sequence[str]) -> None:
    """Refuse values out of their range, those of the shared options among them.

    Raises:
        InputError: All of them at once.
    """
    every = [*wrong_values(args), *dataset_name_fault(args.dataset), *wrong]
    if every:
        raise InputError("; ".join(every), hint="see --help")


def folder_of_data(args: argparse.Namespace) -> Path:
    """The folder of ``--data``.

    Raises:
        InputError: There is none.
    """
    folder = expanded(args.data).absolute()
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, hint="--data names the one to read")
    return folder


def listing_name(args: argparse.Namespace, folder: Path) -> str:
    """``--name``, or the folder's own name; that of the one above where it is called ``train``."""
    return str(args.name or (folder.parent.name if folder.name == "train" else folder.name))


def data_words(folder: Path, name: str) -> str:
    """``--data`` and ``--name`` of a command line that names no machine's path."""
    return f"--data {folder.name}" + (f" --name {name}" if name != folder.name else "")


def said(error: Exception, path: Path | str) -> str:
    """What a library says of a file, by the file's name: the same wherever it lies."""
    return " ".join(str(error).replace(str(path), Path(path).name).split()) or type(error).__name__


def sample_name(listing: str, image: str, window: PixelWindow | None) -> str:
    """``<listing>__<image>_<x>x<y>``, without the corner where the image gives one sample."""
    corner = "" if window is None else f"_{window.x}x{window.y}"
    return f"{listing}__{image}{corner}"


def pictures_in(folder: Path, endings: Sequence[str]) -> tuple[list[Path], int]:
    """The files of these endings in a folder, by name, and how many others there are.

    What is hidden counts as neither: macOS leaves a ``._1.jpg`` beside each file it copies.
    """
    there = [path for path in folder.iterdir() if path.is_file() and path.name[0] != "."]
    chosen = sorted(path for path in there if path.suffix.lower() in endings)
    return chosen, len(there) - len(chosen)


def picture_band(name: str, group: str, dtype: str = "uint8") -> BandSpec:
    """A band of digital numbers as they are; those of 8 bits have their whole range."""
    return BandSpec(
        name=name,
        unit="DN",
        wavelength_nm=None,
        scale=1.0,
        offset=0.0,
        nodata=None,
        groups=(group,),
        value_range=(0.0, 255.0) if dtype == "uint8" else None,
    )


def squares(width_px: int, height_px: int, side_px: int) -> list[PixelWindow]:
    """Squares side by side from the upper-left corner, as many as fit, row by row."""
    return [
        PixelWindow(column * side_px, row * side_px, side_px, side_px)
        for row in range(height_px // side_px)
        for column in range(width_px // side_px)
    ]
