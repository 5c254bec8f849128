"""Fixtures of the tests of models."""

from __future__ import annotations

from collections.abc import Iterator

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
