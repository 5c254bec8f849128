"""Pictures of the networks in ``model/``, or their text where Graphviz is missing."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.decoration import decoration

Say = Callable[[str], None]
# At 200 a network of 85 layers has 230 million pixels: 18 s and 0.9 GB before the first step.
DPI, DPI_OF_MANY, MANY_LAYERS = 200, 72, 60
PATIENCE_S = 60
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
    dpi = DPI if len(network.layers) <= MANY_LAYERS else DPI_OF_MANY
    graph = keras.utils.model_to_dot(network, show_shapes=True, show_layer_names=True, dpi=dpi)
    with TemporaryDirectory() as folder:
        source = Path(folder, "network.dot")
        source.write_text(graph.to_string(), encoding="utf-8")
        # A session of its own: Ctrl-C is for the training, which ends well, not for its picture.
        done = subprocess.run(  # noqa: S603 - found by which, in the path
            [shutil.which("dot") or "dot", "-Tpng", str(source)],
            capture_output=True, check=False, start_new_session=True, timeout=PATIENCE_S,
        )  # fmt: skip
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()[:1]
        raise OSError(f"dot ended with {done.returncode}{''.join(f': {line}' for line in said)}")
    files.write_bytes(target, done.stdout)
    return target


def _text(network: Any, stem: Path) -> Path:
    lines: list[str] = []
    network.summary(print_fn=lambda line, **_: lines.append(line), line_length=110)
    target = stem.with_suffix(".txt")
    files.write_text(target, "\n".join(lines) + "\n")
    return target
