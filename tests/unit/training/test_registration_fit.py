"""What a registration must have in common with an experiment, and must not: tested ground."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from experiment import Experiment
from models.parts.sensors import refuse_without_sensors
from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.vocabulary import LOSSES
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.sources.pairs import run as pairs
from sensor2sensor.sources.sen2venus import run as sen2venus
from sensor2sensor.training import registration
from sensor2sensor.training.contract import extras_for
from sensor2sensor.training.registration import _differences
from sensor2sensor.training.shared_ground import shared_ground
from tests.fakes.sen2venus import write_sites
from tests.fakes_dataset import make_dataset

SITES = ("ARM", "FR-LAM", "SO1")


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Two divisions of three georeferenced sites, pairs of the first, and tiles split by block."""
    root = tmp_path_factory.mktemp("fit")
    venus = write_sites(root / "venus", dict.fromkeys(SITES, 1), side_px=32)
    (root / "environment.json").write_text(json.dumps({"data_root": "data"}))
    words = ["--environment", str(root / "environment.json")]
    for name, site in (("first", "FR-LAM"), ("second", "SO1")):
        asked = ["--data", str(venus), "--dataset", name, "--bands", "10m", "--test-sites", site]
        asked += ["--min-valid", "0.5"]  # with it a data set has the mask "gaps"
        assert sen2venus.main([*asked, *words]) == 0
    assert pairs.main([*words, "--from", "first", "--from-size", "32", "--band", "B8"]) == 0
    make_dataset(root / "data", name="blocks", factor=2, tile_px=32, train=2, val=1, test=1)
    return load_environment(root / "environment.json")


def found(environment, there, own):
    folder = environment.data_root / own
    return shared_ground(environment.data_root / there, folder, load_contract(folder))


def test_georeferenced_sites_are_compared_by_name(environment):
    own = environment.data_root / "second" / "32"
    assert load_contract(own).split_policy.ground == "crs"
    (trained,) = {r.block for r in read_split(own.parents[1] / "first/32") if r.split == "train"}
    (tested,) = {r.block for r in read_split(own) if r.split == "test"}
    assert trained == tested == "SO1"
    assert found(environment, "first_pairs/16", "second/32") == (["SO1"], "")
    assert found(environment, "first_pairs/16", "first/32") == ([], "")


def test_where_nothing_can_be_compared_that_is_said(environment):
    shared, why = found(environment, "nowhere/16", "second/32")
    assert shared == [] and why == "its data set nowhere/16 is gone"
    shared, why = found(environment, "first_pairs/16", "blocks/32")
    assert shared == [] and why == "first_pairs and blocks do not both name sites"


def test_records_are_known_by_their_names_where_sites_are_not(environment):
    """Tiles of numbered blocks, divided anew: pairs keep the names of records."""
    root = environment.data_root
    for copy in ("anew", "blocks_pairs"):
        shutil.copytree(root / "blocks", root / copy, dirs_exist_ok=True)
    turned = {"train": "test", "test": "train"}
    table = root / "anew" / "32" / "split.csv"
    lines = table.read_text().splitlines()
    cells = [line.split(",") for line in lines]
    for row in cells[1:]:
        row[1] = turned.get(row[1], row[1])
    table.write_text("\n".join(map(",".join, cells)) + "\n")
    trained = {row.name for row in read_split(root / "blocks/32") if row.split == "train"}
    shared, _ = found(environment, "blocks_pairs/32", "anew/32")
    assert set(shared) == trained


PLAIN = {
    "model_name": "carn", "dataset": "second", "tilesize": 32, "batch_size": 1,
    "input_upsampling": "none", "random_resize": 1.0, "discriminator": None,
    "gen_loss": {"gen_l1": 1.0},
    "registration": {"run": "reg", "train": True},
}  # fmt: skip
THERE = {"model": "registration", "band": "B8", "unit": "reflectance", "pixel_m": 10.0}


def experiment(environment, **changes):
    folder = environment.experiment_root / "e"
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "experiment.json").write_text(json.dumps({**PLAIN, **changes}))
    return Experiment("e", environment, timestamp="0715-0930")


def differences(made, folder):
    return list(_differences(made, {**THERE, "folder": folder}))


def test_an_experiment_refuses_a_registration_of_its_test_sites_and_says_what_it_cannot_tell(
    environment, caplog
):
    made = experiment(environment)
    assert differences(made, "first_pairs/16") == [
        "it was trained on ground that is test here: SO1"
    ]
    assert not caplog.records
    assert differences(made, "gone/16") == []
    (line,) = (record.getMessage() for record in caplog.records)
    assert line == (
        "whether 'reg' was trained on ground that is test here is not known: its data set gone/16"
        " is gone"
    )


def test_a_registration_of_ground_that_calibrates_is_refused(environment, monkeypatch):
    made = experiment(environment)
    rows = read_split(environment.data_root / "second" / "32")
    aside = frozenset(row.name for row in rows if row.block == "SO1")
    said = "it was trained on ground that calibrates here: SO1"
    monkeypatch.setattr(
        registration.calibration, "parts_of", lambda of: SimpleNamespace(calibrating=aside)
    )
    assert said in differences(made, "first_pairs/16")
    aside = frozenset(row.name for row in rows) - aside
    assert said not in differences(made, "first_pairs/16")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"input_upsampling": "nearest", "model_name": "edsr"}, "'nearest' hides the input's own"),
        ({"img_height": 16, "img_width": 16}, "tiles of 32 resized to 16 x 16 have other pixels"),
        ({"img_height": 16, "img_width": 16, "random_crop": True}, None),
        ({}, None),
    ],
)
def test_a_registration_sees_whole_pixels_of_the_input(environment, changes, said):
    made = differences(experiment(environment, **changes), "first_pairs/16")[:-1]
    assert (said in "; ".join(made)) if said else made == []


DEGRADED = {"simulated": {"degradation": {"paths": {"real": 1, "simulated": 1}}},
            "wald": {"degradation": {"paths": {"wald": 1}}}}  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ({}, {}),
        ({"registration": {"run": "reg", "test": True}}, {}),
        ({"registration": {"run": "reg", "train": True}}, {"fine": "registration.train"}),
        (DEGRADED["simulated"], {"coarse": "degradation.paths.simulated"}),
        (DEGRADED["wald"], dict.fromkeys(("fine", "coarse"), "degradation.paths.wald")),
    ],
)
def test_extras_that_images_are_moved_away_from_are_given_to_no_step(environment, keys, left):
    made = experiment(environment, **{"registration": None, **keys})
    extras = [
        SimpleNamespace(name=name, role=role, grid=grid, dtype=dtype)
        for name, role, grid, dtype in (
            ("fine", "mask", "target", "uint8"), ("coarse", "image", "input", "float32"),
            ("days", "value", "target", "float32"), ("city", "value", "target", "string"),
        )
    ]  # fmt: skip
    contract = SimpleNamespace(name="toy", extras=extras)
    displaced = made.config.displaced(extras)
    assert displaced == left

    def asking(step):
        model = SimpleNamespace(train_step=step)
        return extras_for(model, contract, displaced)

    taken = asking(lambda x, y, step, **extras: None)
    assert taken == [name for name in ("fine", "coarse", "days") if name not in left]
    if "fine" in left:
        with pytest.raises(ConfigError, match=rf"{left['fine']}: moves images away.*'fine'"):
            asking(lambda x, y, step, fine=None: None)
    else:
        assert "fine" in asking(lambda x, y, step, fine=None: None)


def test_a_loss_that_looks_at_a_mask_is_refused_where_targets_are_moved(environment, monkeypatch):
    made = experiment(environment, registration=None, **DEGRADED["wald"])
    assert "gaps" in made.EXTRAS
    refuse_without_sensors(made, judged=False)
    masked = replace(LOSSES["gen_l1"], needs=LOSSES["gen_l1"].needs | {"extras.gaps"})
    monkeypatch.setitem(LOSSES, "gen_l1", masked)
    with pytest.raises(ConfigError, match=r"paths.wald: moves images away from.*'gaps', which 'ge"):
        refuse_without_sensors(made, judged=False)
    refuse_without_sensors(experiment(environment, registration=None), judged=False)
