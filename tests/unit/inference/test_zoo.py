"""A folder of models, each known by a name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sensor2sensor.core.errors import InputError, OutputExistsError
from sensor2sensor.inference import zoo
from tests.fakes.onnx_files import toy_form

FORM = toy_form()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "zoo"
    (made / "more").mkdir(parents=True)
    (made / "carn.json").write_text("{}")
    (made / "more" / "s2v2x2.yaml").write_text("model: a")
    zoo.enter(made, "carn-x2", made / "carn.json", title="CARN", form=FORM)
    zoo.enter(made, "s2v2x2", made / "more" / "s2v2x2.yaml", title="theirs", form=FORM)
    return made


def test_a_model_is_found_by_its_name_or_by_its_path(folder, tmp_path):
    assert zoo.find_model("carn-x2", folder) == folder / "carn.json"
    assert zoo.find_model("s2v2x2", folder) == folder / "more" / "s2v2x2.yaml"
    assert zoo.find_model(str(folder / "carn.json"), tmp_path / "none") == folder / "carn.json"
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "saved_model.pb").touch()
    assert zoo.find_model(str(saved), folder) == saved
    assert list(zoo.read_zoo(folder).models) == ["carn-x2", "s2v2x2"]
    assert zoo.read_zoo(folder).models["carn-x2"].input == ["B02", "B03", "B04"]


def test_a_name_that_is_entered_again_means_the_new_file(folder):
    (folder / "later.json").write_text('{"run": 2}')
    zoo.enter(folder, "carn-x2", folder / "later.json", title="CARN", form=FORM)
    assert zoo.find_model("carn-x2", folder) == folder / "later.json"
    assert sorted(p.name for p in folder.iterdir()) == [
        "carn.json", "later.json", "models.json", "more",
    ]  # fmt: skip


def test_a_name_is_of_one_experiment(folder):
    for name, experiment in (("one", "a/carn"), ("other", "a-carn"), ("later", "a/carn")):
        said = json.dumps({"run": name, "provenance": {"experiment": experiment}})
        (folder / f"{name}.json").write_text(said)
    (folder / "card.yaml").write_text("sensor2sensor: {experiment: a/carn}")
    assert zoo.name_of("a/carn") == zoo.name_of("a-carn") == "a-carn"
    zoo.enter(folder, "a-carn", folder / "one.json", title="CARN", form=FORM)
    with pytest.raises(OutputExistsError, match=r"'a-carn' is a model of experiment a/carn, not"):
        zoo.enter(folder, "a-carn", folder / "other.json", title="CARN", form=FORM)
    assert zoo.find_model("a-carn", folder) == folder / "one.json"
    for path in (folder / "later.json", folder / "card.yaml"):
        zoo.enter(folder, "a-carn", path, title="CARN", form=FORM)
        assert zoo.find_model("a-carn", folder) == path
    with pytest.raises(OutputExistsError, match="of experiment a/carn, not of a-carn; export into"):
        zoo.refuse_taken(folder, "a-carn", "a-carn")


def test_a_misspelt_name_is_told_the_nearest(folder):
    with pytest.raises(InputError, match="no model 'cran-x2'; nearest: 'carn-x2'"):
        zoo.find_model("cran-x2", folder)
    with pytest.raises(InputError, match=r"no zoo: it has no models\.json"):
        zoo.find_model("carn-x2", folder / "more")
    with pytest.raises(InputError, match="there is no such file"):
        zoo.find_model("models/carn-x2.json", folder)


def test_a_file_that_was_not_entered_is_not_opened(folder, tmp_path):
    (folder / "carn.json").write_text('{"changed": true}')
    with pytest.raises(InputError, match="is not the file that was entered"):
        zoo.find_model("carn-x2", folder)
    (folder / "carn.json").unlink()
    with pytest.raises(InputError, match=r"there is no carn\.json; copy the whole folder"):
        zoo.find_model("carn-x2", folder)
    with pytest.raises(InputError, match="lies outside the zoo"):
        zoo.enter(folder, "x", tmp_path / "x.json", title="", form=FORM)


@pytest.mark.parametrize("place", ["../secret.json", "/etc/secret.json"])
def test_a_list_opens_no_file_but_its_own(folder, place):
    said = json.loads((folder / "models.json").read_text())
    said["models"]["carn-x2"]["file"] = place
    (folder / "models.json").write_text(json.dumps(said))
    with pytest.raises(InputError, match="leaves the folder"):
        zoo.find_model("carn-x2", folder)


def test_a_list_of_another_version_or_shape_is_refused(folder):
    for content in ({"format_version": 2, "models": {}}, {"models": {"a": {"file": "x"}}}, [1]):
        (folder / "models.json").write_text(json.dumps(content))
        with pytest.raises(InputError, match="is no list of models"):
            zoo.find_model("carn-x2", folder)
