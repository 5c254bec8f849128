"""Pictures of the networks in ``model/``, or their text where Graphviz is missing."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.decoration import decoration

Say = Callable[[str], None]
HINT = "Graphviz or pydot is missing, networks are described in text; install both for pictures"


def write_pictures(model: Any, folder: Path, say: Say) -> list[Path]:
    """Write ``generator.png`` and ``discriminator.png``, or ``.txt`` where they cannot be drawn.

    Neither is worth a run: what cannot be written is left out with a line.

    Args:
        model: A model with built networks.
        folder: ``model/<timestamp>``.
        say: Where the hint goes.

    Returns:
        The files.
    """
    drawable = shutil.which("dot") is not None and importlib.util.find_spec("pydot") is not None
    if not drawable:
        say(HINT)
    networks = {name: getattr(model, name) for name in ("generator", "discriminator")}
    written = [
        _describe(network, folder / name, say, drawable=drawable)
        for name, network in networks.items()
        if network is not None
    ]
    return [path for path in written if path is not None]


def _describe(network: Any, stem: Path, say: Say, *, drawable: bool) -> Path | None:
    """The picture, else the text (Graphviz aborts on very deep networks), else nothing."""
    made: Path | None = None
    if drawable:
        with decoration(f"the picture of the {stem.name}", say):
            made = _picture(network, stem)
    if made is None:
        with decoration(f"the description of the {stem.name}", say):
            made = _text(network, stem)
    return made


def _picture(network: Any, stem: Path) -> Path:
    import keras

    target = stem.with_suffix(".png")
    with files.atomic_path(target) as temporary:
        # Keras reads the format from the suffix, which the temporary name does not have.
        drawn = temporary.with_name(f"{temporary.name}.png")
        keras.utils.plot_model(network, to_file=str(drawn), show_shapes=True, show_layer_names=True)
        drawn.replace(temporary)
    return target


def _text(network: Any, stem: Path) -> Path:
    lines: list[str] = []
    network.summary(print_fn=lambda line, **_: lines.append(line), line_length=110)
    target = stem.with_suffix(".txt")
    files.write_text(target, "\n".join(lines) + "\n")
    return target
