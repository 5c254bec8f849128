"""What ``run.json`` keeps of the data and of the generator, measured before the first step."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from sensor2sensor.core.decoration import decoration
from sensor2sensor.networks.reach import reach
from sensor2sensor.pipeline.batching import ReaderOptions
from sensor2sensor.pipeline.clipping import clipped_share, in_words
from sensor2sensor.training.contract import ExperimentView
from sensor2sensor.training.normaliser import unstated_bound

logger = logging.getLogger(__name__)

Say = Callable[[str], None]


def measured(
    generator: Any,
    experiment: ExperimentView,
    options: ReaderOptions,
    known: dict[str, Any] | None,
    say: Say,
) -> dict[str, Any]:
    """Entries of ``run.json``: pixels that are clipped, and what one output pixel sees.

    Args:
        generator: The generator.
        experiment: The experiment.
        options: Its reader's, for the suffix filters.
        known: What was measured of the generator before; None: nothing yet.
        say: Takes a line on clipping.
    """
    clipped = _clipped(generator, experiment, options, say)
    found: dict[str, Any] = {} if clipped is None else {"clipped_pixels": clipped}
    # Tiled prediction needs it for its margins and strides, long after training.
    with decoration("the receptive field of the generator", logger.warning):
        found["generator"] = known or seen_by(generator, experiment)
    return found


def seen_by(generator: Any, experiment: ExperimentView) -> dict[str, Any] | None:
    """What is kept of the reach of a generator; None where nothing is known of it."""
    # A subclass of keras.Model does not say what it takes.
    shape = experiment.INPUT_HEIGHT, experiment.INPUT_WIDTH, experiment.INPUT_CHANNELS
    return asdict(found) if (found := reach(generator, shape)) else None


def _clipped(
    generator: Any, experiment: ExperimentView, options: ReaderOptions, say: Say
) -> dict[str, float] | None:
    """Say what share of the target pixels the model cannot reach, by split; else None."""
    normalisation = experiment.normaliser
    activation = unstated_bound(generator, normalisation)
    if activation is not None:
        say(
            f"the generator ends in {activation}, but class GAN does not state OUTPUT_BOUNDS:"
            " it cannot reach beyond the value range, and targets there are not clipped"
        )
    if normalisation.bounds is None:
        return None
    place = experiment.dataset_dir, experiment.contract, normalisation
    enforce, exclude, tiles = options.filters
    shares = {
        split: clipped_share(*place, split, enforce, exclude, tiles) for split in ("train", "val")
    }
    say(in_words(shares, legacy=normalisation.legacy))
    return shares
