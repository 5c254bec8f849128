"""The batches of an experiment: what it trains on, looks at, and measures."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from sensor2sensor.core.memory import GIB
from sensor2sensor.dataset.calibration import unread
from sensor2sensor.dataset.order import Epochs
from sensor2sensor.dataset.record_cache import CacheOptions
from sensor2sensor.dataset.recordfile import count_records, list_records, places_of
from sensor2sensor.pipeline.batching import ReaderOptions
from sensor2sensor.pipeline.reader import fixed_batches, training_batches
from sensor2sensor.predictors.given import given_at_once
from sensor2sensor.training.contract import ExperimentView, GANModel
from sensor2sensor.training.degrading import degradation_stage
from sensor2sensor.training.layer_statistics import Batches, statistics_batches
from sensor2sensor.training.registration import registration_stage
from sensor2sensor.training.stages import Stage, StageChain, StagedBatches

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment

AHEAD = 2  # batches on the GPU beside the one it computes with
# By their key in experiment.json, in the order they run in: degraded images are registered by
# construction, and the stage that makes them says which those are ("real", false, [B]).
MAKERS: dict[str, Callable[[ExperimentView], Stage]] = {
    "degradation": degradation_stage,
    "registration": registration_stage,
}


def chain_of(experiment: ExperimentView) -> StageChain | None:
    """The chain that an experiment asks for; None where its batches are used as they are read.

    Raises:
        ConfigError: A stage cannot be made as asked.
        CheckpointError: Nor with the weights it needs.
    """
    asked = [key for key in MAKERS if getattr(experiment.config, key, None) is not None]
    if not asked:
        return None
    return StageChain([MAKERS[key](experiment) for key in asked], experiment.normaliser)


def reader_options(experiment: ExperimentView, environment: Environment) -> ReaderOptions:
    """The reader's options for the training split of an experiment."""
    config = experiment.config
    resize = config.random_resize
    return ReaderOptions(
        batch_size=config.batch_size,
        seed=config.seed,
        shuffle=config.shuffle,
        random_resize=(min(resize), max(resize)) if isinstance(resize, list) else resize,
        random_rotate=config.random_rotate,
        random_crop=config.random_crop,
        img_height=experiment.IMG_HEIGHT,
        img_width=experiment.IMG_WIDTH,
        input_upsampling=config.input_upsampling,
        sample=config.sample_train,
        enforce_suffix=config.enforce_suffix,
        exclude_suffix=config.exclude_suffix,
        # One place for all: whatever reads val in a training has its names from here.
        exclude_tiles=unread(experiment),
        decoded_cap=environment.max_shuffle_buffer,
        cache=_cache(environment),
        reads=environment.parallel_reads,
    )


def _cache(environment: Environment) -> CacheOptions | None:
    if environment.cache is None:
        return None
    return CacheOptions(environment.cache, int(environment.cache_gib * GIB), environment.cache_dir)


def options_of_looks(
    experiment: ExperimentView, options: ReaderOptions, model: GANModel, say: Callable[[str], None]
) -> ReaderOptions:
    """The reader's options where a model is looked at: of the training, or for whole tiles.

    Args:
        experiment: The experiment.
        options: Those of its training.
        model: The model.
        say: Takes a line where they are others, and where inputs are aligned in training alone.
    """
    given = given_at_once(experiment, model.generator, model.discriminator)
    height, width = given.size_px
    seen = replace(options, img_height=height, img_width=width, batch_size=given.batch_size)
    if seen != options:
        crop = f"crops of {options.img_height} x {options.img_width} pixels"
        say(f"trained on {crop}, validated on whole tiles of {height}, {seen.batch_size} at a time")
    if said := experiment.contract.input.alignment:
        say(f"trained with {said}, validated on inputs as they come")
    return seen


def train_batches(
    experiment: ExperimentView,
    options: ReaderOptions,
    *,
    start_step: int = 0,
    extras: Collection[str] | None = None,
    chain: StageChain | None = None,
    ahead: bool = True,
) -> Any:
    """Endless batches of the train split, the first for the step after ``start_step``.

    With a ``chain`` they are read in physical values and prepared by it. ``ahead``: one GPU takes
    whole batches, which are copied there before it asks; several take their parts from the host.
    """
    batches = training_batches(
        experiment.dataset_dir,
        experiment.contract,
        experiment.normaliser if chain is None else None,
        options,
        start_step=start_step,
        extras=extras,
    )
    gpus = tf.config.list_logical_devices("GPU") if ahead else []
    batches = ahead_on(gpus[0].name, batches) if gpus else batches
    return batches if chain is None else StagedBatches(batches, chain, start_step)


def ahead_on(device: str, batches: tf.data.Dataset) -> tf.data.Dataset:
    """The same batches, :data:`AHEAD` of them copied to a device while it computes.

    Those with texts among them are left as they are: no GPU holds a text.
    """
    if any(spec.dtype == tf.string for spec in batches.element_spec.values()):
        return batches
    return batches.apply(tf.data.experimental.prefetch_to_device(device, AHEAD))


def validation_batches(experiment: ExperimentView, options: ReaderOptions) -> tf.data.Dataset:
    """The ``sample_val`` tiles that are looked at while training, once, with what losses need."""
    return fixed_batches(
        experiment.dataset_dir,
        experiment.contract,
        experiment.normaliser,
        replace(options, sample=experiment.config.sample_val),
        split="val",
    )


def sheet_batches(experiment: ExperimentView, options: ReaderOptions) -> tf.data.Dataset | None:
    """The validation tiles that ``sample_tiles`` names, in its order; None where it names none."""
    named = experiment.config.sample_tiles
    if not places_of(list_records(experiment.dataset_dir, "val", *options.filters), named):
        return None
    return fixed_batches(
        experiment.dataset_dir,
        experiment.contract,
        experiment.normaliser,
        options,
        split="val",
        names=named,
        extras=(),
    )


def tiles_as_trained(experiment: Any) -> Batches:
    """Batches for the statistics of a checkpoint from before these were kept."""
    options = reader_options(experiment, experiment.environment)
    return statistics_batches(experiment, experiment.normaliser, options, chain_of(experiment))


def train_epochs(experiment: ExperimentView, options: ReaderOptions) -> Epochs:
    """How steps make epochs, also where the experiment counts steps."""
    found = count_records(experiment.dataset_dir, "train", options.sample, *options.filters)
    return Epochs(found, options.batch_size)


def train_names(
    experiment: ExperimentView, options: ReaderOptions, numbers: Collection[int]
) -> list[str]:
    """Names of tiles of the train split by their number, as a batch's ``index`` has it."""
    records = list_records(experiment.dataset_dir, "train", *options.filters)
    return [records[number].name for number in numbers]
