"""How samples become batches: parsed, moved, normalised, expanded as late as possible.

Records hold the input on its own pixels; unless a picture must be resized, it is normalised there
and gathered once for the whole batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec
from sensor2sensor.dataset.record_cache import CacheOptions
from sensor2sensor.dataset.upsampling import OWN_GRID
from sensor2sensor.pipeline.augmentation import (
    AugmentSpec,
    Resize,
    Rotation,
    augment,
)
from sensor2sensor.pipeline.extras import as_picture, from_picture
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.pipeline.own_grid import native_px, own_factor, own_grid_problems
from sensor2sensor.pipeline.pixel_map import PixelMap
from sensor2sensor.pipeline.tensors import (
    EXTRA,
    Tensors,
    expand,
    gather_pixels,
    on_own_grid,
    parse,
    physical,
)

FINISHING = 2  # batches being expanded at a time
MAX_PARALLEL = 8
Fetch = Callable[[int], tuple[bytes, np.int64, "np.ndarray[Any, Any]"]]
# Nothing that a reader maps branches on a tensor, and AutoGraph would translate all that it calls.
as_is = tf.autograph.experimental.do_not_convert


@dataclass(frozen=True)
class ReaderOptions:
    """What an experiment asks of the reader.

    Attributes:
        batch_size: Samples in a batch.
        seed: Seed of order, choice and augmentation.
        shuffle: Whether the order changes from epoch to epoch; False reads by name.
        random_resize: Largest random enlargement, or least and largest; None for never.
        random_rotate: True, ``flip`` or False.
        random_crop: Cut windows of the image size from the tiles instead of resizing the tiles.
        img_height: Rows of a picture; None for the tile's.
        img_width: Columns of a picture; None for the tile's.
        input_upsampling: ``nearest``, ``bicubic``, or ``none``: the input stays on its own grid.
        sample: Use only so many records, chosen by the seed; None for all.
        enforce_suffix: Use only records whose name ends so.
        exclude_suffix: Leave out records whose name ends so.
        exclude_tiles: Leave out records of these names.
        decoded_cap: Most decoded samples to hold in memory at a time (at least a batch is held).
        cache: Where records of training batches are kept once read; None: nowhere.
        reads: Records read at a time; None: as many as are decoded at a time.
    """

    batch_size: int = 16
    seed: int = 0
    shuffle: bool = True
    random_resize: Resize | None = None
    random_rotate: Rotation = False
    random_crop: bool = False
    img_height: int | None = None
    img_width: int | None = None
    input_upsampling: str = "nearest"
    sample: int | None = None
    enforce_suffix: str | None = None
    exclude_suffix: str | None = None
    exclude_tiles: frozenset[str] = frozenset()
    decoded_cap: int = 500
    cache: CacheOptions | None = None
    reads: int | None = None

    @property
    def filters(self) -> tuple[str | None, str | None, frozenset[str]]:
        """The filters of names, in the order in which records are listed by them."""
        return self.enforce_suffix, self.exclude_suffix, self.exclude_tiles


class BatchPlan:
    """How samples of one contract become batches under one set of options."""

    def __init__(
        self,
        contract: DatasetContract,
        normalisation: Normalisation | None,
        options: ReaderOptions,
        extras: tuple[ExtraSpec, ...],
        *,
        augmented: bool,
    ) -> None:
        self.contract, self.normalisation, self.extras = contract, normalisation, extras
        self.batch_size, self.reads = options.batch_size, options.reads
        spec, tile = contract.input, contract.tile_px
        coarse = spec.layout == "pixels" or spec.grid is not None
        self.bicubic = options.input_upsampling == "bicubic" and coarse
        self.own = options.input_upsampling == OWN_GRID
        moves = AugmentSpec(
            options.img_height or tile,
            options.img_width or tile,
            options.random_resize,
            options.random_rotate,
            options.random_crop,
            own_factor(contract, options.input_upsampling),
            native_px(contract, options.input_upsampling),
        )
        if not augmented:
            moves = replace(moves, random_resize=None, random_rotate=False)
        self.spec, self.augmented = moves, augmented
        self._check(options)
        whole = (moves.height, moves.width) == (tile, tile) or moves.random_crop
        self.compact = (
            spec.layout == "pixels"
            and not self.bicubic
            and not self.own
            and whole
            # The norm of a whole tile is not that of its table, in which each pixel stands once.
            and (normalisation is None or normalisation.elementwise)
        )
        # Where pixels are but exchanged, a target is moved as it is stored: half the bytes.
        self.late = self.compact and not moves.resizes
        self.parallel, self.prefetch = bounds(options)

    def _check(self, options: ReaderOptions) -> None:
        tile, size = self.contract.tile_px, (self.spec.height, self.spec.width)
        if self.own:
            problems = own_grid_problems(self.contract, *size, self.spec.factors[1])
            for key, text in problems.items():
                raise ConfigError(text, where=key)
        if self.spec.native_px > 1 and size != (tile, tile) and not options.random_crop:
            raise ConfigError(
                f"resizing tiles of {tile} to {size[0]} x {size[1]} would blend the pixels of bands"
                " that are stored repeated",
                where="random_crop",
                hint='write "random_crop": true',
            )
        if self.bicubic and self.contract.input.grid is None:
            raise ConfigError(
                "input_upsampling 'bicubic' needs a regular low-resolution grid",
                where=self.contract.name,
                hint="use 'nearest' for Sentinel-3 input",
            )
        if options.random_crop and max(size) > tile:
            raise ConfigError(
                f"random_crop cannot cut {size[0]} x {size[1]} pixels from tiles of {tile}",
                where=self.contract.name,
                hint="make img_height and img_width at most the tilesize",
            )

    def batches(
        self, source: tf.data.Dataset, fetch: Fetch, *, drop_remainder: bool
    ) -> tf.data.Dataset:
        """Read, parse, transform and batch what ``source`` numbers."""

        def read(k: tf.Tensor) -> tuple[tf.Tensor, ...]:
            kinds = [tf.string, tf.int64, tf.int32]
            # A pure function of k. Were it said to have a state, reads would wait for each other
            # where operations are to be deterministic, as a training on a CPU asks.
            data, index, seed = tf.numpy_function(fetch, [k], kinds, stateful=False)
            return tuple(map(tf.ensure_shape, (data, index, seed), ([], [], [2])))

        def sample(data: tf.Tensor, index: tf.Tensor, seed: tf.Tensor) -> Tensors:
            stored = parse(data, self.contract, self.extras)
            return {**self._sample(stored, seed), "index": index}

        # Deterministic: else a batch would hold what the fastest threads have ready.
        together = {"num_parallel_calls": self.parallel, "deterministic": True}
        if self.reads is None:
            made = source.map(as_is(lambda k: sample(*read(k))), **together)
        else:
            read_ahead = source.map(as_is(read), num_parallel_calls=self.reads, deterministic=True)
            made = read_ahead.map(as_is(sample), **together)
        # Tables are of any length; what fills them up is a row that no index points at.
        shapes = tf.nest.map_structure(lambda spec: spec.shape, made.element_spec)
        made = made.padded_batch(self.batch_size, shapes, drop_remainder=drop_remainder)
        # Compact samples grow here to what they are as pictures, so few batches at a time.
        at_once = FINISHING if self.compact else 1
        made = made.map(as_is(self._finish), num_parallel_calls=at_once, deterministic=True)
        made = made.prefetch(self.prefetch) if self.prefetch else made
        threads = tf.data.Options()
        # Samples are made beside each other: to cut up the operations of one, too, costs a sixth.
        threads.threading.max_intra_op_parallelism = 1
        if self.reads is not None:
            # Reads wait for a share and not for a core: TensorFlow's threads, one a core, would all
            # wait with them. More threads cost the samples up to a fifth, so they are asked for.
            threads.threading.private_threadpool_size = self.reads + self.parallel + FINISHING
        return made.with_options(threads)

    def _sample(self, stored: Tensors, seed: tf.Tensor) -> Tensors:
        """One sample, augmented: compact (pixel table and index map) or as pictures."""
        extras = {extra.name: stored[EXTRA + extra.name] for extra in self.extras}
        moving = [extra for extra in self.extras if extra.role != "value"]
        pictures = [
            as_picture(e, extras[e.name], self.contract, own=self.own, bicubic=self.bicubic)
            for e in moving
        ]
        if self.compact:
            table = physical(stored["input_pixels"], self.contract.input.bands)
            image = PixelMap(table, stored["input_index"][..., tf.newaxis])
        else:
            image = (
                on_own_grid(stored, self.contract)
                if self.own
                else expand(stored, self.contract, bicubic=self.bicubic)
            )
        target = stored["target"]
        target = target if self.late else physical(target, self.contract.target.bands)
        image, target, *moved = augment(
            image, target, seed if self.augmented else None, self.spec, pictures
        )
        extras |= {e.name: from_picture(e, p) for e, p in zip(moving, moved, strict=True)}
        sample = {"target": target, "extras": extras}
        if self.compact:
            return {**sample, "table": image.table, "map": image.index[..., 0]}
        return {**sample, "input": image}

    def _finish(self, batch: Tensors) -> Tensors:
        """Physical values, normalisation and, for compact samples, the gather."""
        target = batch["target"]
        target = physical(target, self.contract.target.bands) if self.late else target
        normalisation = self.normalisation
        if not self.compact:
            image = batch["input"]
            image = image if normalisation is None else normalisation.input(image)
        else:
            # An OLCI pixel stands for 900 of the target's: what is done to the table is cheap.
            table = batch["table"]
            table = table if normalisation is None else normalisation.input(table)
            image = gather_pixels(table, batch["map"])
        made = {"input": image, "target": target, "index": batch["index"], **batch["extras"]}
        if normalisation is not None:
            made["target"] = normalisation.target(target)
        return made if self.augmented else {**made, "truth": target}


def bounds(options: ReaderOptions) -> tuple[int, int]:
    """Samples decoded in parallel and batches kept ready, within the cap on decoded samples."""
    room = options.decoded_cap - FINISHING * options.batch_size
    parallel = int(np.clip(room, 1, min(MAX_PARALLEL, os.cpu_count() or 1)))
    return parallel, int(np.clip((room - parallel) // options.batch_size, 0, 2))
