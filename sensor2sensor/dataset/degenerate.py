"""What a data set cannot be trained or scored on: bands without a span, splits without tiles."""

from __future__ import annotations

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.bands import BandSpec, BandStatistics
from sensor2sensor.dataset.contract import DatasetContract

REMEDY = "leave the band out: --bands of step 20, then steps 40 and 50 again"
OF_OTHERS = "leave the band out when the data set is made"


def faults(contract: DatasetContract) -> list[str]:
    """Why nothing can be learned: a target band without a value range, a split without tiles."""
    empty = [f"the {name} split has no tiles" for name, s in contract.splits.items() if not s.count]
    remedy = OF_OTHERS if contract.kind == "paired" else REMEDY
    flat = [f"target {text}; {remedy}" for text in _flat(contract, "target")]
    return empty + flat


def notices(contract: DatasetContract) -> list[str]:
    """What is odd but harmless: an input band that tells the model nothing."""
    return [f"input {text}; it tells the model nothing" for text in _flat(contract, "input")]


def refuse_degenerate(contract: DatasetContract) -> None:
    """Refuse a data set that nothing can be learned from.

    Raises:
        DatasetError: Every fault, with what to do.
    """
    found = faults(contract)
    if found:
        raise DatasetError("; ".join(found), where=contract.name)


def _flat(contract: DatasetContract, side: str) -> list[str]:
    bands = getattr(contract, side).bands
    pairs = zip(bands, contract.statistics[side], strict=True)
    return [_said(band, statistics) for band, statistics in pairs if _no_span(statistics)]


def _no_span(statistics: BandStatistics) -> bool:
    # A range that the source fixes has a span whatever the band holds.
    return not statistics.high > statistics.low or statistics.minimum == statistics.maximum


def _said(band: BandSpec, statistics: BandStatistics) -> str:
    if statistics.minimum == statistics.maximum:
        value = f"{statistics.minimum:g} {band.unit}"
        return f"band {band.name} is constant over the train split ({value})"
    return (
        f"band {band.name} has no span over the train split (its 0.1 % and 99.9 % quantiles are"
        f" both {statistics.low:g} {band.unit})"
    )
