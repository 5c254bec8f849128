"""What an archive may hold: bombs are refused by size, by ratio, by count and by overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensor2sensor.core.errors import ProductError

if TYPE_CHECKING:
    import zipfile
    from pathlib import Path


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold. Real products stay far below: 1 GB, some 150 members, ratio 30.

    Attributes:
        members: number of members.
        member_bytes: size of one member, inflated.
        total_bytes: size of all members, inflated.
        ratio: inflated over deflated size of one member above `ratio_from_bytes`.
        ratio_from_bytes: small text may deflate by more than `ratio` and harms nobody.
    """

    members: int = 20_000
    member_bytes: int = 4 * 2**30
    total_bytes: int = 16 * 2**30
    ratio: float = 200.0
    ratio_from_bytes: int = 2**20


DEFAULT_LIMITS = ArchiveLimits()


def refuse_bombs(
    infos: list[zipfile.ZipInfo], archive_bytes: int, path: Path, limits: ArchiveLimits
) -> None:
    """Refuse an archive that would fill the memory or the disk of whoever reads it.

    Raises:
        ProductError: names the member, or the sum, that is beyond the limits.
    """
    if len(infos) > limits.members:
        raise refusal(path, f"holds {len(infos)} members, more than {limits.members}")
    for info in infos:
        if info.file_size > limits.member_bytes:
            raise refusal(path, f"member {info.filename!r} inflates to {info.file_size} bytes")
        ratio = info.file_size / max(info.compress_size, 1)
        if info.file_size > limits.ratio_from_bytes and ratio > limits.ratio:
            raise refusal(path, f"member {info.filename!r} inflates {ratio:.0f} times")
    total = sum(info.file_size for info in infos)
    if total > limits.total_bytes:
        raise refusal(path, f"inflates to {total} bytes, more than {limits.total_bytes}")
    # Overlapping members share their deflated bytes: the sizes add up to more than the file.
    if sum(info.compress_size for info in infos) > archive_bytes:
        raise refusal(path, "its members overlap")


def refusal(path: Path, what: str) -> ProductError:
    """The error of a hostile archive."""
    return ProductError(
        f"archive refused: {what}", where=path, hint="fetch the product anew from its provider"
    )
