"""Tables of profile ``torchsisr`` as text, for those who print them and for the report.

They read the key ``cross_sensor`` of an evaluation's JSON. FRR has no table without overshoot,
noise and the consistency with the input: white noise and scrambled phases raise it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sensor2sensor.config.vocabulary import LR_RMSE

# Columns of a band's own scores: by name, the metric of one band that each is.
BAND_SCORES = {"psnr": "psnr", "rmse": "rmse_bands", "l1": "l1", "ssim": "ssim", LR_RMSE: LR_RMSE}
_HEADS = {"psnr": "PSNR ↑ (dB)", "rmse": "RMSE ↓", "l1": "L1 ↓", "ssim": "SSIM ↑"}
_HEADS[LR_RMSE] = "LR RMSE ↓"
_RATES = {"prr": "PRR", "arr": "ARR ↑", "frr": "FRR ↑", "fro": "FRO ↓", "fru": "FRU (≤ 0)"}
_RATES["fda_noise"] = "noise ↓"
REAL = "real"
NOTHING = "–"
Table = tuple[list[str], list[list[str]]]  # headings, rows


def number(value: float | None) -> str:
    """Four digits of small numbers and two decimals of large ones; a dash for none."""
    if value is None:
        return NOTHING
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.4f}"


def _percent(cell: Mapping[str, float | None]) -> str:
    """``41.2 (30.1 to 52.3)``; a dash for no value, no brackets without an interval."""
    value, low, high = (cell[key] for key in ("value", "low", "high"))
    if value is None:
        return NOTHING
    spread = "" if low is None or high is None else f" ({low:.1f} to {high:.1f})"
    return f"{value:.1f}{spread}"


def fda_table(facts: Mapping[str, Any], mode: str) -> Table:
    """Restoration of each band by each method, in percent, with what FRR must not stand without.

    Args:
        facts: ``cross_sensor``.
        mode: ``windowed`` or ``torchsisr``.
    """
    rows = []
    methods = facts["fda"][mode].get("rates", {})
    for band in next(iter(methods.values()), {}):
        for method, rates in methods.items():
            behind = facts["bands"][method][REAL][band][LR_RMSE]
            cells = [_percent(rates[band][name]) for name in _RATES]
            rows.append([band, method, *cells, number(behind)])
    return ["band", "method", *_RATES.values(), _HEADS[LR_RMSE]], rows


def fda_title(facts: Mapping[str, Any], mode: str) -> str:
    """Mode, what the intervals are over, and how many tiles have no spectrum."""
    out = facts["fda"][mode].get("left_out", 0)
    lost = f"; {out} tiles with holes have no spectrum" if out else ""
    about = f"percent, mode {mode}, {facts['intervals']}{lost}"
    return f"Frequencies restored, real inputs ({about}); FRR rises with noise, too"


def band_table(facts: Mapping[str, Any]) -> Table:
    """Scores of each band, real and simulated inputs beside each other."""
    rows = [
        [band, method, *(_both(inputs, band, name) for name in BAND_SCORES)]
        for band, method, inputs in _each_band(facts["bands"])
    ]
    return ["band", "method", *_HEADS.values()], rows


def _each_band(methods: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    first: Mapping[str, Any] = next(iter(methods.values()), {REAL: {}})
    for band in first[REAL]:
        for method, inputs in methods.items():
            yield band, method, inputs


def _both(inputs: Mapping[str, Any], band: str, name: str) -> str:
    return " / ".join(number(bands[band][name]) for bands in inputs.values())


def site_table(facts: Mapping[str, Any]) -> Table:
    """Mean over the bands and tiles of each site, by method, on real inputs."""
    rows = [
        [site, str(found["tiles"]), method, *(number(inputs[REAL][name]) for name in BAND_SCORES)]
        for site, found in facts["sites"].items()
        for method, inputs in found["scores"].items()
    ]
    return ["site", "tiles", "method", *_HEADS.values()], rows


def warp_table(facts: Mapping[str, Any]) -> Table:
    """Flow against the input of the target and of each prediction, seen by the coarser sensor."""
    rows = [[what, number(m["mean"]), number(m["std"])] for what, m in facts["warp"].items()]
    return ["image", "mean (input px)", "std"], rows


def tables(facts: Mapping[str, Any], modes: Sequence[str]) -> dict[str, Table]:
    """Every table that has a row, by its title.

    Args:
        facts: ``cross_sensor``.
        modes: Those of the frequency analysis that are shown, each in a table of its own.
    """
    without = facts["left_out"]
    omitted = f"; nobody measured {', '.join(without)}" if without else ""
    found = {f"Scores of each band, real / simulated inputs{omitted}": band_table(facts)}
    found |= {fda_title(facts, mode): fda_table(facts, mode) for mode in modes}
    found["Flow between the images, degraded, and the input"] = warp_table(facts)
    found["Sites, real inputs, mean over bands and tiles"] = site_table(facts)
    return {title: table for title, table in found.items() if table[1]}
