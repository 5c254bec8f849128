"""Whether a data set is one that an experiment is made for."""

from __future__ import annotations

from sensor2sensor.config.expects import Expects
from sensor2sensor.dataset.contract import DatasetContract

KEY = "expects"
# Options of step 53 by what an experiment may expect of SEN12MS-CR.
STEP_53 = {
    10: "--bands 10m20m", 13: "--bands all", "40m": "--s1-resolution 40",
    "dsen2cr": "--mask dsen2cr", "uncrtaints": "--mask uncrtaints",
}  # fmt: skip


def unmet(expects: Expects | None, contract: DatasetContract) -> dict[tuple[str, str], str]:
    """What an experiment expects of its data set and does not find, by key of its file."""
    if expects is None:
        return {}
    found = {
        "target_bands": _bands(expects.target_bands, contract),
        "groups": _groups(expects.groups or [], contract),
        "mask": _mask(expects.mask, contract),
    }
    return {(KEY, key): text for key, text in found.items() if text is not None}


def _bands(wanted: int | None, contract: DatasetContract) -> str | None:
    names = [band.name for band in contract.target.bands]
    if wanted is None or len(names) == wanted:
        return None
    there = f"has {len(names)} target bands ({', '.join(names)})"
    return _line(contract, there, f"{wanted} are", STEP_53.get(wanted))


def _groups(wanted: list[str], contract: DatasetContract) -> str | None:
    bands = [*contract.input.bands, *contract.target.bands]
    known = dict.fromkeys(group for band in bands for group in band.groups)
    missing = [group for group in wanted if group not in known]
    if not missing:
        return None
    there = f"has bands of {'groups ' + ', '.join(known) if known else 'no group'}"
    expected = f"{_quoted(missing)} {'are' if missing[1:] else 'is'}"
    return _line(contract, there, expected, STEP_53.get(missing[0]))


def _mask(wanted: str | None, contract: DatasetContract) -> str | None:
    masks = [extra for extra in contract.extras if extra.role == "mask"]
    variants = [mask.variant for mask in masks if mask.variant]
    if wanted is None or wanted in variants:
        return None
    there = "has masks that name no variant" if masks else "has no mask"
    there = f"has masks of variant {_quoted(variants)}" if variants else there
    return _line(contract, there, f"'{wanted}' is", STEP_53.get(wanted))


def _quoted(words: list[str]) -> str:
    return " and ".join(f"'{word}'" for word in words)


def _line(contract: DatasetContract, there: str, expected: str, option: str | None) -> str:
    made = f" (step 53 {option} makes one of SEN12MS-CR)" if option else ""
    return (
        f"the data set '{contract.name}' {there}, and {expected} expected: name another one in "
        f"dataset{made}, or state here what this one has"
    )
