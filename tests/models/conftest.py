"""Fixtures of the tests of models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import tensorflow as tf


@pytest.fixture
def step_by_step() -> Iterator[None]:
    """No graphs: a step is traced for as long as twenty are made, and that is not the subject.

    That every model's step can be traced, and then trains, is seen in ``test_family.py``.
    """
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of zero, for tests that count them: to draw 55 million takes longer than the rest."""
    kinds = [tf.keras.initializers.RandomNormal, tf.keras.initializers.VarianceScaling]

    def zeros(self: Any, shape: Any, dtype: Any = None) -> tf.Tensor:
        return tf.zeros(shape, dtype or tf.float32)

    for kind in kinds:
        monkeypatch.setattr(kind, "__call__", zeros)
