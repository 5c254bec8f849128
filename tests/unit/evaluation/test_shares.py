"""Several processes that score a share of the tiles each: files as of one, byte for byte."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.contract import CONTRACT_FILE, load_contract
from sensor2sensor.evaluation.kept import Kept
from sensor2sensor.evaluation.output import write
from sensor2sensor.evaluation.run import evaluate
from sensor2sensor.evaluation.shares import helped
from sensor2sensor.evaluation.tile_facts import FactSheet
from sensor2sensor.predictors.draws import Draws
from sensor2sensor.predictors.registry import baselines
from tests.fakes_clouds import make_clouds
from tests.unit.evaluation import toys


@pytest.fixture(scope="module")
def clouds(tmp_path_factory):
    folder = make_clouds(tmp_path_factory.mktemp("shares"))
    return folder, load_contract(folder)


def holed(tiles):
    """Some noise, and nothing at all of one tile of a group."""
    made = toys.noisy(0.02)(tiles)
    made[-1 if len(tiles) > 1 else 0, 3, 3] = np.nan
    return made


class Several:
    """Processes one after the other; what goes between them is text."""

    number = 0

    def __init__(self, place, predictor, count):
        self.place, self.predictor, self.count = place, predictor, count

    def ask(self, task):
        self.told = json.loads(json.dumps(task))

    def answers(self, own):
        asked = self.told, self.predictor
        others = range(1, self.count)
        return [own, *(helped(*self.place, *asked, n, self.count) for n in others)]


def written(place, folder, predictor, count, profile="standard", **given):
    """Every file of an evaluation by as many processes, and who helped."""
    helpers = Several(place, predictor, count) if count > 1 else None
    known, sheet = baselines(*place), FactSheet(*place)
    evaluation = evaluate(
        {"model": predictor, **known}, *place, profile=profile, batch_size=2, facts=sheet,
        helpers=helpers, **given,
    )  # fmt: skip
    write(evaluation, folder, toys.subject(), place[1], baselines=known, facts=sheet)
    return {path.name: path.read_bytes() for path in folder.iterdir()}, helpers


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("clouds", (2, 3, 9)),  # parts, pooled scores; of nine, most have nothing to score
        ("sentinel3", (2,)),  # a baseline that is fitted, and made again of what it says
    ],
)
def test_shares_make_the_files_of_one_process(request, tmp_path, kind, counts):
    cloudy = kind == "clouds"
    place = request.getfixturevalue(kind) if cloudy else toys.dataset(kind)
    model = Draws([toys.Made(holed), toys.noisy(0.03)])
    options = {"profile": "dsen2cr" if cloudy else "standard"}
    one, _ = written(place, tmp_path / "1", model, 1, **options)
    assert len(one) == 3 and (b'"pooled": {' in b"".join(one.values())) == cloudy
    for count in counts:
        assert written(place, tmp_path / str(count), model, count, **options)[0] == one


def test_scores_that_are_kept_are_asked_of_nobody_and_kept_alike(tmp_path):
    place, model, kept = toys.dataset(), toys.noisy(0.02), {}
    for count in (1, 2, 2):
        folder = tmp_path / f"kept-{count}"
        kept[count] = Kept.scores(folder, "standard", {"dataset_sha256": "1"})
        files, helpers = written(place, tmp_path / "files", model, count, kept=kept[count])
        kept[count].write()
        told = [] if helpers is None else [[*helpers.told["baselines"]]]
        kept[f"told-{count}"] = kept.get(f"told-{count}", []) + told
        assert kept.setdefault("files", files) == files
    assert kept["told-2"] == [["nearest", "bicubic"], []]
    one, two = ([*(tmp_path / f"kept-{n}").rglob("*.json")] for n in (1, 2))
    assert [p.read_bytes() for p in sorted(one)] == [p.read_bytes() for p in sorted(two)]


def test_a_share_of_another_data_set_is_refused(tmp_path):
    folder, contract = toys.dataset()
    other = shutil.copytree(folder, tmp_path / "other")
    (other / CONTRACT_FILE).write_text((other / CONTRACT_FILE).read_text() + " ")
    asked = Several((other, contract), toys.perfect, 2)
    with pytest.raises(DatasetError, match="not the one that the first process evaluates on"):
        evaluate({"model": toys.perfect}, folder, contract, batch_size=2, helpers=asked)
