"""Batches from a data set: keyed and restartable.

Order and augmentation of every sample are a pure function of the seed and its position in the run
(:mod:`sensor2sensor.dataset.order`), so a run that starts at step s sees bit for bit what an
uninterrupted one sees from s on. Names are shuffled, not decoded samples: memory holds what is
being worked on and no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sensor2sensor.core.seeds import Purpose, rng
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.order import augmentation_seed, chosen_sample, looked_at, sample_at
from sensor2sensor.dataset.record_cache import reading
from sensor2sensor.dataset.recordfile import (
    RecordRef,
    iterate_refs,
    list_records,
    places_of,
    read_record,
)
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.pipeline.batching import BatchPlan, ReaderOptions, as_is
from sensor2sensor.pipeline.extras import NAME, carried
from sensor2sensor.pipeline.normalisation import Normalisation


def training_batches(
    dataset_dir: Path,
    contract: DatasetContract,
    normalisation: Normalisation | None,
    options: ReaderOptions,
    *,
    split: str = "train",
    start_step: int = 0,
    extras: Collection[str] | None = None,
) -> tf.data.Dataset:
    """Endless full batches; batch s is a pure function of the seed and s.

    Args:
        dataset_dir: The data set's folder.
        contract: Its contract.
        normalisation: Applied to input and target; None leaves physical values.
        options: What the experiment asks for.
        split: Which split to read.
        start_step: The first batch to give.
        extras: Extras to carry, and ``name``; None: all that are no texts.

    Returns:
        Data set of ``input [B, H, W, Ci]``, ``target [B, H, W, Ct]`` float32, ``index [B]``
        int64 (place in the list of records ordered by name), and the extras by name: images and
        masks moved with the pictures, values as they are. With ``input_upsampling`` "none" the
        input, and extras on its grid, are ``[B, h, w, C]``.

    Raises:
        InputError: No record is left after the suffix filters.
        ConfigError: The options do not fit the data set.
    """
    refs = list_records(dataset_dir, split, *options.filters)
    chosen = chosen_sample(options.seed, len(refs), options.sample)
    taken = carried(contract, extras, texts=False)
    plan = BatchPlan(contract, normalisation, options, taken, augmented=True)

    read = reading(dataset_dir, [refs[index] for index in chosen], options.cache)

    def fetch(k: int) -> tuple[bytes, np.int64, np.ndarray[Any, Any]]:
        epoch, i, place = sample_at(options.seed, int(k), len(chosen), shuffle=options.shuffle)
        index = int(chosen[place])
        pair = np.array(augmentation_seed(options.seed, epoch, i), dtype=np.int32)
        return read(refs[index]), np.int64(index), pair

    # A run that goes on begins in the middle of an epoch; nothing before it is read.
    # All batches are of one shape: another one would trace the train step again.
    source = tf.data.Dataset.counter(start=start_step * options.batch_size)
    batches = plan.batches(source, fetch, drop_remainder=True)
    return _named(batches, refs) if extras is not None and NAME in extras else batches


def fixed_batches(
    dataset_dir: Path,
    contract: DatasetContract,
    normalisation: Normalisation | None,
    options: ReaderOptions,
    *,
    split: str,
    order: Purpose | None = None,
    limit: int | None = None,
    names: Sequence[str] | None = None,
    extras: Collection[str] | None = None,
) -> tf.data.Dataset:
    """Every chosen record of a split once, not augmented; the last batch may be smaller.

    Which are chosen does not depend on the seed (:func:`~sensor2sensor.dataset.order.looked_at`).

    Args:
        dataset_dir: The data set's folder.
        contract: Its contract.
        normalisation: Applied to input and target; None leaves physical values.
        options: What the experiment asks for; with ``random_crop`` the middle window is cut.
        split: Which split to read.
        order: Draw their order from the seed for this purpose; by name where None.
        limit: Stop after so many of that order.
        names: Choose these, in this order, in place of all that the options choose.
        extras: Extras to carry; None: all.

    Returns:
        As :func:`training_batches`, and ``name [B]`` and ``truth [B, H, W, Ct]``: the target in
        physical units, whole where the normalised one is clipped.
    """
    refs = list_records(dataset_dir, split, *options.filters)
    chosen = looked_at(len(refs), options.sample)
    if order is not None:
        chosen = rng(options.seed, order).permutation(chosen)
    chosen = chosen[:limit]
    if names is not None:
        chosen = np.array(places_of(refs, names), dtype=np.int64)
    taken = carried(contract, extras, texts=True)
    plan = BatchPlan(contract, normalisation, options, taken, augmented=False)

    def fetch(k: int) -> tuple[bytes, np.int64, np.ndarray[Any, Any]]:
        index = int(chosen[int(k)])
        return read_record(refs[index]), np.int64(index), np.zeros(2, np.int32)  # nothing is drawn

    source = tf.data.Dataset.range(len(chosen))
    return _named(plan.batches(source, fetch, drop_remainder=False), refs)


def _named(batches: tf.data.Dataset, refs: Sequence[RecordRef]) -> tf.data.Dataset:
    names = tf.constant([ref.name for ref in refs])
    return batches.map(as_is(lambda batch: {**batch, NAME: tf.gather(names, batch["index"])}))


def iterate_tiles(
    dataset_dir: Path,
    contract: DatasetContract,
    split: str,
    *,
    limit: int | None = None,
    enforce_suffix: str | None = None,
    exclude_suffix: str | None = None,
    exclude_tiles: Collection[str] = (),
) -> Iterator[TileRecord]:
    """The tiles of a split, by name, in physical values."""
    refs = list_records(dataset_dir, split, enforce_suffix, exclude_suffix, exclude_tiles)
    yield from iterate_refs(refs[:limit], contract)
