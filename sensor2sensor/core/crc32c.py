"""CRC-32C (Castagnoli) by NumPy, and its mask in a TFRecord.

TensorFlow has one too, but takes five seconds of a processor to load, in every worker of a step
that writes records. A block is cut into short pieces, whose registers are computed all at once and
then joined pair by pair: a megabyte takes a few milliseconds.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]
_POLYNOMIAL = 0x82F63B78  # reversed
_PIECE_BYTES = 128
_ONES = 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """The checksum of some bytes."""
    if len(data) < 4:
        register = _ONES
        for byte in data:
            register = int(_of_bytes()[(register ^ byte) & 0xFF]) ^ (register >> 8)
        return register ^ _ONES
    pieces = 1 << max(-(-len(data) // _PIECE_BYTES) - 1, 0).bit_length()
    # Zeros before the first byte leave a register of zero as it is; a register of ones is one of
    # zero that meets the first four bytes inverted.
    block = np.zeros(pieces * _PIECE_BYTES, np.uint8)
    block[-len(data) :] = np.frombuffer(data, np.uint8)
    block[len(block) - len(data) :][:4] ^= 0xFF
    words = block.view("<u2").reshape(pieces, -1).T.astype(np.uint32)
    registers = np.zeros(pieces, np.uint32)
    for word in words:
        registers = _two_bytes_on(registers ^ word)
    level = 0
    while len(registers) > 1:
        registers = _shifted(registers[0::2], level) ^ registers[1::2]
        level += 1
    return int(registers[0]) ^ _ONES


def masked(data: bytes) -> int:
    """The checksum as a TFRecord holds it."""
    found = crc32c(data)
    return (((found >> 15) | (found << 17)) + 0xA282EAD8) & _ONES


@cache
def _of_bytes() -> Words:
    """What a register of each byte is one byte on."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table


@cache
def _of_words() -> Words:
    """What a register of each two bytes is two bytes on."""
    table, once = np.arange(2**16, dtype=np.uint32), _of_bytes()
    for _ in range(2):
        table = once[table & 0xFF] ^ (table >> 8)
    return table


def _two_bytes_on(registers: Words) -> Words:
    found: Words = _of_words()[registers & 0xFFFF] ^ (registers >> 16)
    return found


@cache
def _tables(level: int) -> Words:
    """By place of a byte and its value: what it is ``_PIECE_BYTES * 2**level`` bytes on."""
    values = np.arange(256, dtype=np.uint32)[None] << np.arange(0, 32, 8, dtype=np.uint32)[:, None]
    if level:
        return _shifted(_shifted(values, level - 1), level - 1)
    for _ in range(_PIECE_BYTES // 2):
        values = _two_bytes_on(values)
    return values


def _shifted(registers: Words, level: int) -> Words:
    tables: Any = _tables(level)
    parts = [table[(registers >> (8 * place)) & 0xFF] for place, table in enumerate(tables)]
    found: Words = parts[0] ^ parts[1] ^ parts[2] ^ parts[3]
    return found
