"""Times are aware and in UTC, always."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sensor2sensor.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np


def parse_utc(text: str) -> datetime:
    """Parse an ISO 8601 time; one without a zone is taken as UTC, as the products mean it.

    Raises:
        InputError: The text is not a time.
    """
    try:
        time = datetime.fromisoformat(text.strip())
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # 0001-01-01T00:00+01 lies before the calendar
        raise InputError(f"'{text}' is not an ISO 8601 time") from None


def format_utc(time: datetime) -> str:
    """``2022-10-05T11:54:11.024Z``: UTC with milliseconds."""
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_from(time: np.datetime64) -> datetime:
    """The aware time of a numpy one, which is UTC, to the microsecond."""
    found: datetime = time.astype("datetime64[us]").item()
    return found.replace(tzinfo=UTC)


def hours_from(a: datetime, b: datetime) -> float:
    """Hours from `a` to `b`, negative where `b` is earlier."""
    return (b - a).total_seconds() / 3600.0


def hours_between(a: datetime, b: datetime) -> float:
    """Absolute difference in hours."""
    return abs(hours_from(a, b))
