"""The part of a scene that is asked for, and what is said of it."""

from __future__ import annotations

import pytest

from sensor2sensor.inference.region import cropped, told_part
from tests.unit.inference.held import FACTOR, HEIGHT, WIDTH, Held


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ((FACTOR, 0, 2 * FACTOR, FACTOR), None),
        ((1, 0, FACTOR, FACTOR), f"0 0 {2 * FACTOR} {FACTOR}"),
        ((0, 0, WIDTH + 50, HEIGHT), f"0 0 {WIDTH} {HEIGHT}"),
    ],
)
def test_pixels_that_are_not_those_asked_for_are_told(asked, made):
    scene = cropped(Held(), None, asked)
    said = told_part(scene, asked)
    if made is None:
        assert said is None and scene.frame.shape == (FACTOR, 2 * FACTOR)
    else:
        assert f"{' '.join(map(str, asked))} becomes {made}: " in said
        assert f"whole input pixels ({FACTOR} x {FACTOR})" in said


def test_without_a_part_nothing_is_told():
    assert told_part(cropped(Held(), None, None), None) is None
