"""Whether the files of a data set are those its contract promises."""

from __future__ import annotations

from pathlib import Path

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.dataset.contract import SPLITS, DatasetContract, load_contract
from sensor2sensor.dataset.ledger import SPLIT_FILE, read_split


def verify_dataset(dataset_dir: Path) -> None:
    """Compare counts, sizes and SHA-256 of every file with what the data set promises.

    A TFRecord that was cut at the boundary of a record reads without an error, and a gzipped one
    that was cut anywhere reads as empty: only this check sees it.

    Raises:
        DatasetError: A file is missing, changed or surplus to the contract; it is named, with the
            command that rebuilds it.
    """
    dataset_dir = Path(dataset_dir)
    contract = load_contract(dataset_dir)
    table = dataset_dir / SPLIT_FILE
    hint = rebuild_hint(contract)
    if not table.is_file() or files.sha256(table) != contract.split_csv_sha256:
        raise DatasetError(
            "does not belong to dataset.json (an interrupted step 50?)", where=table, hint=hint
        )
    rows = read_split(dataset_dir)
    for split in SPLITS:
        found = sum(row.split == split for row in rows)
        if found != contract.splits[split].count:
            what = f"lists {found} {split} tiles, dataset.json {contract.splits[split].count}"
            raise DatasetError(what, where=table, hint=hint)
    expected = {row.file: row.sha256 for row in rows if row.split in SPLITS}
    for name, digest in expected.items():
        _verify_file(dataset_dir / name, digest, hint)


def _verify_file(path: Path, digest: str, hint: str) -> None:
    try:
        found = files.sha256(path)
    except FileNotFoundError:
        raise DatasetError("listed in split.csv but missing", where=path, hint=hint) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path) from None
    if found != digest:
        raise DatasetError("changed since it was written (SHA-256 differs)", where=path, hint=hint)


def rebuild_hint(contract: DatasetContract) -> str:
    """The commands that rebuild a data set, for messages."""
    made = contract.provenance  # a free-form table: data sets of other origin may lack these keys
    if "command" not in made:
        return "rebuild it with step 50 --force"
    added = [facts["name"] for facts in made.get("inventories", [])[1:]]
    more = "".join(f", then again with --inventory {name} --add" for name in added)
    return f"rebuild it with: {made['command']} --force{more}"
