"""Extras go where their pictures go: masks by nearest neighbour, values and texts as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.contract import ExtraSpec, load_contract
from sensor2sensor.pipeline.batching import ReaderOptions
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.pipeline.reader import fixed_batches, training_batches
from tests.fakes_extras import make_positions, position_contract

CROP = {"random_crop": True, "img_height": 6, "img_width": 6}
MOVED = ReaderOptions(batch_size=4, seed=2, random_rotate=True)
CASES = {
    "compact": ("pixels", replace(MOVED, **CROP)),
    "whole tiles": ("pixels", replace(MOVED, random_crop=True, img_height=12, img_width=12)),
    "own grid": ("pixels", replace(MOVED, **CROP, input_upsampling="none")),
    "bicubic": ("dense", replace(MOVED, **CROP, input_upsampling="bicubic")),
}


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("toys")
    return {layout: make_positions(root, layout=layout) for layout in ("dense", "pixels")}


@pytest.mark.parametrize("case", CASES)
def test_extras_move_with_the_pictures_on_their_grid(toys: dict[str, Path], case: str) -> None:
    """The rows that a mask tells are those of the target's own positions in the tile."""
    layout, options = CASES[case]
    folder, contract = toys[layout], load_contract(toys[layout])
    for training in (True, False):
        batches = (
            training_batches(folder, contract, None, options).take(6)
            if training
            else fixed_batches(folder, contract, None, options, split="val")
        )
        for batch in batches:
            row = np.floor(batch["target"][..., 0].numpy() % 1000)
            assert row.shape[1:] == (options.img_height, options.img_width)
            assert np.array_equal(batch["row"], row) and batch["row"].dtype == "uint16"
            assert np.array_equal(batch["haze"], row) and batch["haze"].dtype == "float32"
            assert np.array_equal(batch["radar"], batch["input"])
            own = options.input_upsampling == "none"
            coarse = row[:, ::3, ::3] if own else row
            assert np.array_equal(batch["coarse_row"][..., 0] // 60, coarse // 3)
            assert batch["coarse_row"].shape == (*coarse.shape, 1)
            assert np.array_equal(batch["gap_h"], batch["target"][:, 0, 0, 0] // 1000)
            assert ("place" in batch) is ("name" in batch) is (not training)


def test_enlarged_masks_hold_classes_and_enlarged_images_what_lies_between(
    toys: dict[str, Path],
) -> None:
    contract = load_contract(toys["dense"])
    options = replace(MOVED, random_resize=1.9)
    for batch in training_batches(toys["dense"], contract, None, options).take(4):
        assert not (batch["haze"].numpy() == np.round(batch["haze"])).all()
        assert set(np.unique(batch["coarse_row"])) <= {0, 60, 120, 180}


def test_only_what_is_asked_for_is_carried(toys: dict[str, Path]) -> None:
    folder, contract = toys["pixels"], load_contract(toys["pixels"])
    normalisation = Normalisation("symmetric", contract)
    plain = {"input", "target", "index"}
    for asked in ([], ["place", "row", "name"]):
        batch = next(iter(training_batches(folder, contract, normalisation, MOVED, extras=asked)))
        assert set(batch) == plain | set(asked)
        if asked:
            places = [f"Jökulsárlón {number}".encode() for number in batch["index"]]
            assert batch["place"].numpy().tolist() == places
            assert batch["name"][0].numpy().startswith(b"inv_toy__")
    fixed = fixed_batches(folder, contract, normalisation, MOVED, split="val", extras=["gap_h"])
    assert set(next(iter(fixed))) == plain | {"name", "truth", "gap_h"}


WRONG = {
    r"the name of extra 'truth' is taken": {"name": "truth"},
    r"the name of extra 'step' is taken": {"name": "step"},
    r"extra 'm' is \[4, 4\], but the target has \[12, 12\] pixels": {"name": "m"},
}


@pytest.mark.parametrize("words", WRONG)
def test_extras_that_cannot_stand_in_a_batch_are_an_error_of_the_contract(
    tmp_path: Path, words: str
) -> None:
    form = {"dtype": "uint8", "shape": (4, 4), "unit": "1", "role": "mask"}
    extra = ExtraSpec(**form, **WRONG[words])
    draft = position_contract("p", factor=3, layout="dense", tile_px=12)
    broken = draft.model_copy(update={"extras": (extra,)}).model_dump_json()
    (tmp_path / "dataset.json").write_text(broken)
    with pytest.raises(DatasetError, match=words):
        load_contract(tmp_path)
