"""What every model costs, measured in processes of their own, which free their memory."""

from __future__ import annotations

import functools
import gc
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from models.loading import list_models, load_gan_class
from sensor2sensor.core import notices

TILE_PX, TRIED_PX = 256, 96
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
                found[part]["field_px"] = _field_px(network)
    if channels == CHANNELS[0]:
        found["svg"] = draw(read_recipe(graph), name)
    return found


def _field_px(network: Any) -> int | None:
    """Pixels a side that one output pixel sees at 256 pixels; None where it cannot be seen."""
    from sensor2sensor.networks.layers import held_layers
    from sensor2sensor.networks.reach import reach

    layers = held_layers(network)
    dilated = any(np.max(getattr(x, "dilation_rate", 1)) > 1 for x in layers)
    # Hundreds of convolutions see more than that: trying would trace them all in vain.
    deep = sum(np.max(getattr(x, "kernel_size", 1)) > 1 for x in layers) > TRIED_PX
    if network.inputs[0].shape[1] is None and not dilated and not deep:
        # A seventh of the pixels. Who sees half a side at most meets no border on either, where
        # kernels have no holes.
        seen = reach(network, (TRIED_PX, TRIED_PX))
        if seen is not None and seen.receptive_field_px <= TRIED_PX // 2:
            return seen.receptive_field_px
    seen = reach(network, (TILE_PX, TILE_PX))
    return seen and seen.receptive_field_px


@functools.cache
def measured() -> dict[str, dict[int, dict[str, Any]]]:
    """Every model of ``models/`` by name and number of input channels; measured once a process."""
    # TensorFlow does not survive a fork.
    spawn = multiprocessing.get_context("spawn")
    names = list_models()
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn, initializer=_on_the_cpu) as pool:
        return dict(zip(names, pool.map(_measured, names), strict=True))


def _on_the_cpu() -> None:
    # Shapes and counts are the same, and no GPU is taken from a training.
    os.environ |= {notices.LEVEL: notices.QUIET, "CUDA_VISIBLE_DEVICES": "-1"}
    tf = notices.load_tensorflow()
    # Graphs that run once or twice: to make them quick takes longer than they do.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    # Weights are counted, not looked at: to draw 55 million takes as long as all else.
    for kind in (tf.keras.initializers.RandomNormal, tf.keras.initializers.VarianceScaling):
        kind.__call__ = _undrawn
    gc.set_threshold(50_000, 10, 10)  # networks are freed by hand, below


def _undrawn(initializer: Any, shape: Any, dtype: Any = None) -> Any:
    """Weights that are all alike; not 0, which would hide what lies behind them."""
    import tensorflow as tf

    return tf.fill(shape, tf.constant(0.01, dtype or tf.float32))


def _measured(name: str) -> dict[int, dict[str, Any]]:
    return {channels: _alone(name, channels) for channels in CHANNELS}


def _alone(name: str, channels: int) -> dict[str, Any]:
    """Measured in a process that knows, and holds, nothing of the model before."""
    import keras

    keras.backend.clear_session()  # the names of layers are counted from 1 again
    gc.collect()
    return measure(name, channels)
