"""The probing experiment of ``model_tools``, under the names the tests use."""

import numpy as np

from model_tools.probe import OLCI, OLCI_NM, S2, batch, contract, experiment

__all__ = ["OLCI", "OLCI_NM", "S2", "batch", "contract", "counts", "experiment", "noise"]


def counts(network):
    """Numbers that are trained, and that are not."""

    def size(weights):
        return sum(int(np.prod(weight.shape)) for weight in weights)

    return size(network.trainable_weights), size(network.non_trainable_weights)


def noise(*shape, seed=0):
    """White noise, float32."""
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
