"""What every model costs, each measured in a process of its own, which frees its memory.

``python -m model_tools.measure NAME`` prints the JSON that :func:`measured` collects.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from models.loading import list_models, load_gan_class
from sensor2sensor.core.errors import ModelContractError

PROJECT = Path(__file__).resolve().parents[1]
TILE_PX = 256
CHANNELS = (3, 21)
PROCESSES = 2
# On the CPU: shapes and counts are the same, and no GPU is taken from a training.
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def measure(name: str, channels: int) -> dict[str, Any]:
    """Build a model of ``models/`` at 256 pixels, at full width, and say what it costs.

    Args:
        name: The model.
        channels: 3 (degraded Sentinel-2) or 21 (Sentinel-3).

    Returns:
        ``generator`` and ``discriminator`` with ``trainable`` and ``fixed`` counts, ``output``
        (shape without the batch, None where there is no network) and ``field_px`` (receptive
        field; equal to ``tile_px`` where it is the whole tile, None where it cannot be
        seen); ``gmac`` and ``activation_mib`` of the generator; ``svg``, its picture.
    """
    from model_tools import cost
    from model_tools.construct import construct
    from model_tools.graph import read_graph
    from model_tools.picture import draw
    from model_tools.recipe import read_recipe

    gan, _ = construct(load_gan_class(name), size=TILE_PX, sentinel3=channels == max(CHANNELS))
    graph = read_graph(gan.generator)
    return {
        "name": name,
        "channels": channels,
        "tile_px": TILE_PX,
        "generator": _network(gan.generator),
        "discriminator": _network(gan.discriminator),
        "gmac": cost.gmac(graph),
        "activation_mib": cost.activation_mib(graph),
        "svg": draw(read_recipe(graph), name),
    }


def _network(network: Any) -> dict[str, Any]:
    from model_tools import cost
    from sensor2sensor.networks.reach import reach

    counts: dict[str, Any] = dict(cost.parameters(network))
    if network is None:
        return {**counts, "output": None, "field_px": None}
    shape = list(network.output_shape[1:])
    found = reach(network)
    return {**counts, "output": shape, "field_px": found and found.receptive_field_px}


@functools.cache
def measured() -> dict[str, dict[int, dict[str, Any]]]:
    """Every model of ``models/`` by name and number of input channels; measured once a process.

    Raises:
        ModelContractError: A model cannot be built; what its process said at the end.
    """
    names = list(list_models())
    # Threads, since they only wait for processes.
    with ThreadPoolExecutor(PROCESSES) as pool:
        return dict(zip(names, pool.map(_apart, names), strict=True))


def _apart(name: str) -> dict[int, dict[str, Any]]:
    done = subprocess.run(  # noqa: S603 - this interpreter, a model of the list
        [sys.executable, "-m", "model_tools.measure", name],
        cwd=PROJECT,
        env={**os.environ, **_QUIET},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ModelContractError(f"cannot be measured: {said[-1]}", where=f"models/{name}.py")
    # The last line: libraries may have printed before it.
    by_channels = json.loads(done.stdout.splitlines()[-1])
    return {int(channels): found for channels, found in by_channels.items()}


def main(name: str) -> None:
    """Measure one model and print it as one line of JSON."""
    found = {channels: measure(name, channels) for channels in CHANNELS}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
