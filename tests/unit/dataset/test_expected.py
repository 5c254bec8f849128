"""What an experiment expects of its data set, whichever model is trained."""

from __future__ import annotations

import re

import pytest

from sensor2sensor.config.expects import Expects
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.expected import unmet
from tests.models import clouds


def lacking(data: DatasetContract, **wanted: object) -> dict[str, str]:
    return {key: text for (_, key), text in unmet(Expects.model_validate(wanted), data).items()}


def test_nothing_is_expected_of_a_data_set_where_nothing_is_said() -> None:
    data = clouds.contract(variant=None)
    assert unmet(None, data) == {} == unmet(Expects(), data)
    assert lacking(data, target_bands=None, groups=None, mask=None) == {}


def test_what_is_there_is_taken() -> None:
    data = clouds.contract()
    # L1C is of both sides, S1 of the input alone.
    assert lacking(data, target_bands=10, groups=["L1C", "S1"], mask="dsen2cr") == {}


@pytest.mark.parametrize(
    ("data", "wanted", "said"),
    [
        ({}, {"target_bands": 13}, r"has 10 target bands \(B02, .*, and 13 are.*--bands all makes"),
        ({}, {"target_bands": 3}, r"3 are expected: name another one in dataset, or state here"),
        ({}, {"groups": ["L1C", "40m"]}, r"groups S2, L1C, S1, 10m, and '40m' is.*resolution 40"),
        ({}, {"groups": ["L2A", "x"]}, r"and 'L2A' and 'x' are expected: name another one in d"),
        ({"groups": [], "inputs": clouds.TEN}, {"groups": ["S1"]}, "'S1' is expected"),
        ({"variant": "scl"}, {"mask": "dsen2cr"}, r"of variant 'scl', and 'dsen2cr' is.*--mask d"),
        ({"variant": ""}, {"mask": "scl"}, r"has masks that name no variant, and 'scl' is"),
        ({"variant": None}, {"mask": "scl"}, r"'probe' has no mask, and 'scl' is expected"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    data: dict[str, object], wanted: dict[str, object], said: str
) -> None:
    ((key, told),) = lacking(clouds.contract(**data), **wanted).items()
    assert key == next(iter(wanted))
    assert re.search(said, told) and "\n" not in told


def test_all_that_is_lacking_is_told_at_once() -> None:
    found = lacking(clouds.contract(variant=None), target_bands=13, groups=["40m"], mask="scl")
    assert list(found) == ["target_bands", "groups", "mask"]
