"""What every model costs, each measured in a process of its own, which frees its memory."""

from __future__ import annotations

import functools
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from models.loading import list_models, load_gan_class
from sensor2sensor.core import notices

TILE_PX = 256
CHANNELS = (3, 21)
PROCESSES = 2


def measure(name: str, channels: int) -> dict[str, Any]:
    """Build a model of ``models/`` at 256 pixels, at full width, and say what it costs.

    Args:
        name: The model.
        channels: 3 (degraded Sentinel-2) or 21 (Sentinel-3).

    Returns:
        ``generator`` and ``discriminator`` with ``trainable`` and ``fixed`` counts, ``output``
        (shape without the batch, None where there is no network) and ``field_px`` (receptive
        field; equal to ``TILE_PX`` where it is the whole tile, None where it cannot be seen);
        ``gmac`` and ``activation_mib`` of the generator; ``svg``, its picture. What is seen and
        drawn is alike for all channels, and is there for 3 of them only.

    Raises:
        ConfigError: The model refuses every setting that was tried.
    """
    from model_tools import cost
    from model_tools.construct import construct
    from model_tools.graph import read_graph
    from model_tools.picture import draw
    from model_tools.recipe import read_recipe
    from sensor2sensor.networks.reach import reach

    gan, _ = construct(load_gan_class(name), size=TILE_PX, sentinel3=channels == max(CHANNELS))
    sides = TILE_PX, TILE_PX
    graph = read_graph(gan.generator, sides)
    found: dict[str, Any] = {"gmac": cost.gmac(graph), "activation_mib": cost.activation_mib(graph)}
    for part in ("generator", "discriminator"):
        network = getattr(gan, part)
        found[part] = {**cost.parameters(network), "output": None}
        if network is not None:
            given = read_graph(network, sides)
            found[part]["output"] = list(given.shapes[given.outputs[0]][1:])
            if channels == CHANNELS[0]:
                seen = reach(network, sides)
                found[part]["field_px"] = seen and seen.receptive_field_px
    if channels == CHANNELS[0]:
        found["svg"] = draw(read_recipe(graph), name)
    return found


@functools.cache
def measured() -> dict[str, dict[int, dict[str, Any]]]:
    """Every model of ``models/`` by name and number of input channels; measured once a process."""
    # Threads, since they only wait for processes.
    with ThreadPoolExecutor(PROCESSES) as threads:
        return dict(zip(list_models(), threads.map(_apart, list_models()), strict=True))


def _apart(name: str) -> dict[int, dict[str, Any]]:
    # TensorFlow does not survive a fork. A pool a model: max_tasks_per_child can hang (gh-115634).
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_on_the_cpu) as pool:
        return pool.submit(_measured, name).result()


def _on_the_cpu() -> None:
    # Shapes and counts are the same, and no GPU is taken from a training.
    os.environ |= {notices.LEVEL: notices.QUIET, "CUDA_VISIBLE_DEVICES": "-1"}
    notices.load_tensorflow()


def _measured(name: str) -> dict[int, dict[str, Any]]:
    return {channels: measure(name, channels) for channels in CHANNELS}
