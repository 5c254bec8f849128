"""The form of a record as files from before have it: a build from before must stay current."""

from __future__ import annotations

from tests.fakes_dataset import toy_contract

FORM = "kind tile_px resolution_m factor input target extras degradation"
BAND = "name unit wavelength_nm scale offset nodata"
INPUT = "layout bands dtype index_dtype max_pixels grid pixel_m"
TARGET = "bands dtype display"
EXTRA = "name dtype shape unit"
DEGRADATION = "method factor mtf_nyquist sigma_px incomplete_blocks tiles_with_incomplete_blocks"


def test_a_key_that_came_later_is_no_part_of_the_form_at_its_default() -> None:
    """One that stands here anew is to be marked ``LATER``: else every data set is built again."""
    swath, degraded = (
        toy_contract("toy", kind, 6, 64, 0).form() for kind in ("sentinel3", "degraded")
    )
    for form in (swath, degraded):
        assert " ".join(form) == FORM
        assert " ".join(form["input"]) == INPUT
        assert " ".join(form["target"]) == TARGET
        for band in (*form["input"]["bands"], *form["target"]["bands"]):
            assert " ".join(band) == BAND
    assert [" ".join(extra) for extra in swath["extras"]] == [EXTRA]
    assert " ".join(degraded["degradation"]) == DEGRADATION


def test_a_later_key_with_a_value_of_its_own_is_part_of_the_form() -> None:
    contract = toy_contract("toy", "sentinel3", 6, 64, 0)
    spec, extra = contract.input, contract.extras[0]
    band = spec.bands[0].model_copy(update={"groups": ("S1",), "value_range": (0.0, 255.0)})
    shown = spec.model_copy(update={"bands": (band,), "display": ("Oa08", "Oa06", "Oa04")})
    mask = extra.model_copy(update={"role": "mask", "grid": "input", "strata": {"cloudy": (1,)}})
    form = contract.model_copy(update={"input": shown, "extras": (mask,)}).form()
    assert " ".join(form["input"]["bands"][0]) == f"{BAND} groups value_range"
    assert " ".join(form["input"]) == f"{INPUT} display"
    assert " ".join(form["extras"][0]) == f"{EXTRA} role grid strata"


def test_a_mask_that_is_found_by_one_rule_alone_is_written_as_before() -> None:
    """Bytes of ``dataset.json`` of steps 50 to 52 do not change by a key that is for others."""
    extra = toy_contract("toy", "sentinel3", 6, 64, 0).extras[0]
    assert "variant" not in extra.model_dump(mode="json")
    ruled = extra.model_copy(update={"variant": "scl"})
    assert ruled.model_dump(mode="json")["variant"] == "scl"
