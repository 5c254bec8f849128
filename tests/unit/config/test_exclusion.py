"""The file of ``exclude_tiles`` as it is written for names that somebody ticked."""

from __future__ import annotations

import pytest

from sensor2sensor.config.exclusion import exclusion_text, read_excluded
from sensor2sensor.core.errors import InputError

NAMES = ["inv__00002_64x0", "inv__00001_0x0_notinmask", "maps__tile ü 7", "inv__00002_64x0"]


def test_what_was_ticked_is_what_an_experiment_leaves_out(tmp_path):
    text = exclusion_text(NAMES, ["ticked in a report\nof two lines # and a sign", "run a/b"])
    assert text.splitlines() == [
        "# ticked in a report of two lines # and a sign", "# run a/b",
        "inv__00001_0x0_notinmask", "inv__00002_64x0", "maps__tile ü 7",
    ]  # fmt: skip
    path = tmp_path / "worst.txt"
    path.write_text(text, encoding="utf-8")
    assert read_excluded(str(path), None).names == set(NAMES)
    assert exclusion_text([]) == "" and exclusion_text(NAMES[1:2]) == f"{NAMES[1]}\n"


@pytest.mark.parametrize("name", ["a#b", " a", "a\nb", "", "a\u2028b", "#"])
def test_a_name_that_would_be_read_as_another_is_refused(name):
    with pytest.raises(InputError, match="cannot be listed by name"):
        exclusion_text(["x", name])
