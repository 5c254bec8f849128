"""A file of VGG19 weights as Keras publishes it, with random ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_vgg19(path: Path, seed: int = 3) -> Any:
    """Write the convolutions as HDF5, a group for each layer; returns the network in it."""
    import h5py
    import keras

    keras.utils.set_random_seed(seed)
    network = keras.applications.VGG19(weights=None, include_top=False)
    whole = path.with_name(f"whole-{path.name}")
    network.save(whole)
    with h5py.File(whole) as source, h5py.File(path, "w") as file:
        held = source["model_weights"]
        for name in held:
            held.copy(name, file)
        file.attrs.update(held.attrs)
    whole.unlink()
    return network
