"""Cards: the four keys of the public tool, and what is wrong with one in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor.core.errors import InputError
from sensor2sensor.predictors.card import read_card

WSX4 = "model: m.onnx\nbands: [B2, B3, B4, B8]\nfactor: 4.0\nmargin: 130\n"


@pytest.fixture
def write(tmp_path: Path):
    (tmp_path / "m.onnx").write_bytes(b"")

    def written(text: str) -> Path:
        path = tmp_path / "m.yaml"
        path.write_text(text)
        return path

    return written


def test_a_published_card_whose_margin_is_no_whole_input_pixel(write):
    card = read_card(write(WSX4))
    # 32.5 input pixels: more are read, never half of one.
    assert (card.factor, card.margin, card.halo_px, card.source_m) == (4, 130, 33, 10)
    assert card.model.name == "m.onnx" and card.bands == ("B2", "B3", "B4", "B8")


def test_red_edge_bands_alone_are_read_at_20_m(write):
    assert read_card(write(WSX4.replace("B2, B3, B4, B8", "B5, B6, B7, B8A"))).source_m == 20


@pytest.mark.parametrize(("old", "new", "said"), [
    ("margin", "margins", "no 'margin'.*margins"), ("130", "-2", "margin: -2"),
    ("4.0", "1.5", "factor: 1.5"), ("4.0", "true", "factor: True"), ("B8", "B08", "B08.*B8"),
    ("B8", "B2", "named twice"), ("[B2, B3, B4, B8]", "B2", "no list"),
    ("m.onnx", "n.onnx", "n.onnx"), ("m.onnx", "../m.onnx", "'../m.onnx' leaves the folder"),
    ("m.onnx", "/m.onnx", "'/m.onnx' leaves the folder"),
    ("model", "[", "no YAML"), (WSX4, "", "no keys"),
    (WSX4, WSX4 + "sensor2sensor: {onnx_sha256: ff}", "not the file this card was written for"),
])  # fmt: skip
def test_what_is_wrong_is_one_line(write, old, new, said):
    with pytest.raises(InputError, match=said) as caught:
        read_card(write(WSX4.replace(old, new)))
    assert "\n" not in str(caught.value)


def test_a_missing_card(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_card(tmp_path / "none.yaml")
