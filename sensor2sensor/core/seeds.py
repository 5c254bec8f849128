"""Keyed randomness: every random number is a pure function of a seed, a purpose and keys."""

from __future__ import annotations

import hashlib
from enum import StrEnum

import numpy as np


class Purpose(StrEnum):
    """What a random number is for; different purposes never share a stream."""

    ORDER = "order"
    AUGMENT = "augment"
    SPLIT = "split"
    DRAW_TILES = "draw_tiles"
    SAMPLE = "sample"
    INIT = "init"
    DROPOUT = "dropout"
    FAKES = "fakes"
    BOOTSTRAP = "bootstrap"
    MODEL = "model"
    PENALTY = "penalty"
    STATISTICS = "statistics"
    DEGRADATION = "degradation"
    FLOW = "flow"
    EXPORT = "export"


def _digest(parts: tuple[object, ...]) -> int:
    # Lengths keep ("ab", "c") and ("a", "bc") apart; type names keep 1 and "1" apart.
    text = "|".join(f"{type(part).__name__}:{len(str(part))}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest(), "big")


def _plain(keys: tuple[int | str, ...]) -> tuple[object, ...]:
    return tuple(str(key) if isinstance(key, str) else int(key) for key in keys)


def derive(seed: int, purpose: Purpose, *keys: int | str) -> int:
    """A 63-bit seed for one use, equal on every machine and in every run."""
    # TensorFlow's seeds are signed: 63 bits stay positive there.
    return _digest((int(seed), purpose.value, *_plain(keys))) >> 1


def rng(seed: int, purpose: Purpose, *keys: int | str) -> np.random.Generator:
    """A PCG64 generator seeded by :func:`derive`."""
    return np.random.Generator(np.random.PCG64(derive(seed, purpose, *keys)))


def keyed_hash(seed: int, *keys: int | str) -> float:
    """A number in [0, 1) that depends on the seed and the keys alone."""
    # The upper 53 bits are what a double holds exactly: the quotient never rounds up to 1.
    return (_digest((int(seed), "hash", *_plain(keys))) >> 11) / float(1 << 53)
