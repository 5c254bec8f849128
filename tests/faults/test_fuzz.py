"""Some rounds of the fuzz run; ``python -m benchmarks.fuzz_preprocess`` makes thousands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import fuzz_preprocess as fuzz


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fuzz") / "archive"
    fuzz.prepared(root)
    return root


@pytest.mark.parametrize("number", range(12))
def test_whatever_is_damaged_no_step_breaks_and_nothing_is_written_elsewhere(base, number) -> None:
    what, wrong = fuzz.fuzz_round(base, number, seed=17)
    assert not wrong, (what, wrong)


def test_what_the_fuzz_run_looks_for_is_found() -> None:
    def careless() -> int:
        return {}["x"]

    def asking() -> int:
        print("10_tilecodes.py: it broke; --debug shows where, please report it")
        return 1

    assert list(fuzz.judge(lambda: 2)) == []
    assert list(fuzz.judge(lambda: 3)) == ["exit code 3"]
    assert "raised KeyError" in next(fuzz.judge(careless))
    assert "please report it" in next(fuzz.judge(asking))


def test_damage_is_made_again_by_its_seed() -> None:
    data = b'<a b="1">17</a>' * 20
    one, other = (fuzz.damaged(data, np.random.default_rng(3)) for _ in range(2))
    assert one == other != data
