"""Whether a registration was trained on ground that an experiment is tested or calibrated on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from sensor2sensor.core import files
from sensor2sensor.dataset.contract import CONTRACT_FILE, DatasetContract, load_contract
from sensor2sensor.dataset.ledger import SPLIT_FILE, SplitRow, read_split

# Blocks of ground and sensing starts: in another data set other ground, or any, goes by them.
_NO_PLACE = re.compile(r"r\d+c\d+|\d{8}T\d{6}.*")


def shared_ground(
    there: Path, own: Path, contract: DatasetContract, names: Collection[str] | None = None
) -> tuple[list[str], str]:
    """What a registration learned from and an experiment tests on, as far as can be known.

    Records are compared by their names, which pairs keep, and sites by theirs.

    Args:
        there: Folder of the registration's data set.
        own: Folder of the experiment's.
        contract: Of that.
        names: Of the tiles there that nothing may have learned from; those of test by default.

    Returns:
        The sites and records that are shared; and, of records of other names, why nobody can tell,
        empty where it is known.

    Raises:
        DatasetError: A table of splits is damaged.
    """
    if not all((there / name).is_file() for name in (CONTRACT_FILE, SPLIT_FILE)):
        return [], f"its data set {there.parent.name}/{there.name} is gone"
    trained = [row for row in read_split(there) if row.split == "train"]
    rows = read_split(own)
    if names is None:
        names = frozenset(row.name for row in rows if row.split == "test")
    tested = [row for row in rows if row.name in names]
    records = {row.name for row in trained} & {row.name for row in tested}
    made_of = load_contract(there).provenance.get("options", {}).get("dataset_sha256")
    if made_of == files.sha256(own / CONTRACT_FILE):  # its splits are those of here
        return sorted(records), ""
    sites, here = _sites(trained), _sites(tested)
    policy = contract.split_policy
    if policy.by not in ("given", "group") or policy.ground == "unknown" or not (sites and here):
        return sorted(records), f"{there.parent.name} and {contract.name} do not both name sites"
    return sorted(sites & here) or sorted(records), ""


def _sites(rows: Iterable[SplitRow]) -> set[str]:
    """Names of the units; pairs join several by a sign of their own."""
    units = {unit for row in rows for unit in re.split("[+&]", row.block) if unit}
    return {unit for unit in units if not _NO_PLACE.fullmatch(unit)}
