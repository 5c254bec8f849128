"""What names of products tell, and that none of them breaks who reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sensor2sensor.core.errors import InputError
from sensor2sensor.preprocess.inventory.options import parse_tile
from sensor2sensor.products.forms import claims, claims_any
from sensor2sensor.products.sentinel3 import period_in

TIMES = st.datetimes(datetime(2015, 6, 23), datetime(2049, 12, 31)).map(
    lambda time: time.replace(microsecond=0, tzinfo=UTC)
)
TILES = st.from_regex(r"[0-6][0-9][C-HJ-NP-X][A-HJ-NP-Z]{2}", fullmatch=True)


@given(TIMES, TIMES, st.sampled_from("ABCD"), st.sampled_from(["EFR", "ERR"]))
@settings(max_examples=60, deadline=None)
def test_a_name_of_sentinel3_tells_its_period(start, stop, platform, kind):
    said = f"{start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}"
    name = f"S3{platform}_OL_1_{kind}____{said}_0179_077_334_1980_LN1_O_NT_003.SEN3"
    assert period_in(name, kind) == (start, stop)
    assert period_in(name.lower(), kind) == (start, stop)
    assert period_in(name, "ERR" if kind == "EFR" else "EFR") is None
    assert claims(Path(name), "S3") and not claims(Path(name), "S2")


@given(TIMES, TILES, st.sampled_from("ABCD"), st.sampled_from(["L1C", "L2A"]))
@settings(max_examples=60, deadline=None)
def test_a_name_of_sentinel2_is_known_with_any_ending(time, tile, platform, level):
    said = f"{time:%Y%m%dT%H%M%S}"
    name = f"S2{platform}_MSI{level}_{said}_N0511_R026_T{tile}_{said}"
    for ending in (".SAFE", ".zip", ".SAFE.zip", ".tar", ""):
        assert claims(Path(name + ending), "S2")
    assert parse_tile(tile.lower()) == parse_tile(f"T{tile}") == f"T{tile}"


@given(st.text(max_size=60), st.sampled_from(["EFR", "ERR"]))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_name_or_none(text, kind):
    assert period_in(text, kind) is None or text.upper().startswith("S3")
    assert period_in(f"S3A_OL_1_{kind}____{text}", kind) is None or "T" in text.upper()
    assert isinstance(claims_any(Path(text or "x")), bool)
    try:
        assert parse_tile(text).startswith("T")
    except InputError as error:
        assert "\n" not in str(error)
