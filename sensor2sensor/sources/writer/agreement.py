"""Whether what stands there was made as this run would make it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sensor2sensor.core.errors import OutputExistsError
from sensor2sensor.core.manifest import differences
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.sources.source import Source
from sensor2sensor.sources.writer.options import WriteOptions

# Options that only a digest tells: two of them say nothing.
_DIGESTS = {
    "exclusions_sha256": "--exclude lists other entries than it did",
    "dataset_sha256": "the data set that it is made of has changed since",
}


def held_options(source: Source, options: WriteOptions) -> dict[str, Any]:
    """The options that a data set keeps: its source's, and how many samples share a file.

    As they come back from a file, where a tuple is a list: else a repeat would find them changed.
    """
    held: dict[str, Any] = json.loads(json.dumps(dict(source.options)))
    # Data sets from before there was a choice were not, and do not say so.
    held |= {"compact": True} if options.compact else {}
    if source.options_say_all:
        return held
    # Records from before it was claimed were not held against each other.
    shared = {"shared_target": True} if source.shared_target else {}
    return {"shard": options.shard, **shared, **held}


def disagreements(source: Source, draft: DatasetContract, contract: DatasetContract) -> list[str]:
    """In what a finished data set differs from a draft, beside the options: a phrase for each.

    The guard is not among them: what is there keeps its own, and the run says so.
    """
    if source.options_say_all:
        return []
    made = contract.provenance
    asked = source.completed(draft, made.get("inventories", []))
    return differences(
        {"version of the source": made.get("version"), **_decisive(contract)},
        {"version of the source": source.version, **_decisive(asked)},
    )


def _decisive(contract: DatasetContract) -> dict[str, Any]:
    """What decides on splits and on the bytes of records, flat enough for a message."""
    form = contract.form()
    if contract.input_px is None:
        form["input"].pop("max_pixels")  # a bound in the draft, counted at the end
    for counted in ("incomplete_blocks", "tiles_with_incomplete_blocks"):
        (form["degradation"] or {}).pop(counted, None)
    for side in (form["input"], form["target"]):
        side["bands"] = _by_name(side["bands"])
    form["extras"] = _by_name(form["extras"])
    kept = {"by", "seed", "train_ratio", "val_ratio", "block_m"}
    return {"split": contract.split_policy.model_dump(mode="json", include=kept), **form}


def _by_name(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"order": [part["name"] for part in parts], **{part["name"]: part for part in parts}}


def refuse_other_options(
    found: Mapping[str, Any], asked: Mapping[str, Any], others: list[str], where: object
) -> None:
    """Refuse to go on with what was made in another way.

    Args:
        found: Options of what is there.
        asked: Those of this run (:func:`held_options`).
        others: What else differs (:func:`disagreements`), said where the options are equal.
        where: The folder, for the message.

    Raises:
        OutputExistsError: Naming each difference.
    """
    # How many samples share a file was not kept at first: of those data sets nobody knows it.
    asked = {key: value for key, value in asked.items() if key != "shard" or key in found}
    # What else differs mostly follows from options: 15 bands of the contract from one of them.
    different = [_DIGESTS.get(one.partition(":")[0], one) for one in differences(found, asked)]
    different = different or others
    if different:
        raise OutputExistsError(
            f"holds a data set of other options: {'; '.join(different)}",
            where=where,
            hint="repeat with those, give another --dataset, or --force to replace it",
        )
