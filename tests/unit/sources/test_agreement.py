"""What is said where a data set was made with other options."""

from __future__ import annotations

import pytest

from sensor2sensor.core.errors import OutputExistsError
from sensor2sensor.sources.writer.agreement import refuse_other_options


def test_lists_that_differ_are_told_without_their_digests() -> None:
    there = {"bands": "10m", "exclusions_sha256": "sha256:aa", "dataset_sha256": "bb"}
    asked = {"bands": "10m", "exclusions_sha256": "sha256:cc", "dataset_sha256": "dd"}
    with pytest.raises(OutputExistsError) as caught:
        refuse_other_options(there, asked, [], "here")
    assert caught.value.what == (
        "holds a data set of other options: --exclude lists other entries than it did;"
        " the data set that it is made of has changed since"
    )
    with pytest.raises(OutputExistsError, match="--exclude lists other entries than it did"):
        refuse_other_options({"bands": "10m"}, {**asked, "dataset_sha256": None}, [], "here")
    with pytest.raises(OutputExistsError, match=r"bands: 10m \(there\) against 20m \(asked\)"):
        refuse_other_options(there, {**there, "bands": "20m"}, ["others"], "here")
