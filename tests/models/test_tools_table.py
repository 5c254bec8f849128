"""docs/models.md: what is read from docstrings and written; its freshness is in test_counts."""

from __future__ import annotations

import json

import pytest

from model_tools import table
from model_tools.describe import describe
from model_tools.probe import experiment
from models import base
from models.loading import list_models, load_gan_class

DOCSTRING = '''"""mine: one thing, e.g. this. And more.

Somebody: A Paper, Venue 2020.

Differences from the paper:
    * The first, which goes
      on here.
    * The second.

``params``:
    width (1.0): multiplies.
    deep (true): goes
        deeper.

Last words: these.
"""
'''


def test_a_docstring_is_taken_apart(tmp_path):
    (tmp_path / "mine.py").write_text(DOCSTRING)
    made = describe(tmp_path / "mine.py")
    assert made.sentence == "one thing, e.g. this"
    assert made.paper == "Somebody: A Paper, Venue 2020."
    assert made.text == ("Last words: these.",)
    assert made.sections == {
        "Differences from the paper": ("The first, which goes on here.", "The second."),
        "params": ("width (1.0): multiplies.", "deep (true): goes deeper."),
    }
    (tmp_path / "bare.py").write_text("x = 1\n")
    assert describe(tmp_path / "bare.py").sentence == ""


@pytest.mark.parametrize("name", list_models())
def test_a_models_docstring_names_its_parameters_with_their_defaults(name, monkeypatch):
    class ReadError(Exception):
        pass

    def read_params(_, defaults):
        raise ReadError(dict(defaults))

    monkeypatch.setattr(base, "read_params", read_params)
    with pytest.raises(ReadError) as caught:
        load_gan_class(name)(experiment(normalisation="minmax"))
    described = describe(list_models()[name])
    written = dict(point.split(": ", 1)[0].split(" ", 1) for point in described.sections["params"])
    asked = {k: v for k, v in caught.value.args[0].items() if k not in base.COMMON}
    defaults = {k: v[0] if isinstance(v, tuple) else v for k, v in asked.items()}
    assert written == {key: f"({json.dumps(value)})" for key, value in defaults.items()}
    assert described.sentence and described.paper
    assert described.sections["Differences from the paper"]


def test_every_model_but_none_other_has_a_shipped_recipe():
    recipes = table.shipped_recipes()
    assert set(recipes) == set(list_models())
    path, losses = recipes["aris-a"]
    assert losses == "100 SSIM + 100 Wasserstein term + 50 L1" and "arisgan" in path.parts


def cost(channels, judged=True):
    output = {"trainable": 1_500_000 + channels, "fixed": 8, "output": [256, 256, 3], "field_px": 9}
    judge = {"trainable": 2_000_000, "fixed": 0, "output": [30, 30, 1], "field_px": 70}
    none = {"trainable": 0, "fixed": 0, "output": None, "field_px": None}
    return {
        "generator": output, "discriminator": judge if judged else none,
        "gmac": 1.26 * channels, "activation_mib": 1234.5, "svg": "<svg/>\n",
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "PROJECT", tmp_path)
    monkeypatch.setattr(table, "PAGE", tmp_path / "docs" / "models.md")
    monkeypatch.setattr(table, "PICTURES", tmp_path / "docs" / "images" / "models")
    found = {name: {n: cost(n, name != "edsr") for n in (3, 21)} for name in ("edsr", "pix2pix")}
    monkeypatch.setattr(table, "measured", lambda: found)
    return tmp_path


def test_the_page_is_written_compared_and_cleared_of_former_models(folder):
    said = []
    assert table.write_table(only_check=True, say=said.append) == 1
    assert not (folder / "docs").exists() and said[-1] == "3 of 3 files are outdated"
    assert table.write_table(only_check=False, say=said.append) == 0
    assert table.write_table(only_check=True, say=said.append) == 0
    (table.PICTURES / "former.svg").write_text("<svg/>")
    (table.PICTURES / "edsr.svg").write_text("<svg></svg>")
    assert table.write_table(only_check=True, say=said.append) == 1
    assert table.write_table(only_check=False, say=said.append) == 0
    assert {path.name for path in table.PICTURES.iterdir()} == {"edsr.svg", "pix2pix.svg"}
    assert table.write_table(only_check=True, say=said.append) == 0


def test_the_page_says_of_what_is_not_known_that_it_is_not(folder):
    blind = table.measured()
    for part in ("generator", "discriminator"):
        blind["pix2pix"][3][part] = {**blind["pix2pix"][3][part], "field_px": None}
    table.write_table(only_check=False, say=lambda _: None)
    text = table.PAGE.read_text()
    assert "| unknown |" in text and "each from an unknown part of the tile." in " ".join(
        text.split()
    )


def test_the_page_says_what_was_measured(folder):
    table.write_table(only_check=False, say=lambda _: None)
    lines = table.PAGE.read_text().splitlines()
    rows = {row.split("](")[0]: row for row in lines if row.startswith("| [")}
    page = " ".join(lines)
    assert "| 1.50 M | 2.00 M | 3.8 / 26.5 | 1,234 | 9 px |" in rows["| [pix2pix"]
    assert "| 1.50 M | – |" in rows["| [edsr"]
    assert "| [A](" in rows["| [edsr"] and "| [B](" in rows["| [pix2pix"]
    assert "A: 1 L1 + 0.5 SSIM; B: 100 L1 + 1 GAN." in page
    assert "1,500,003 / 1,500,021 trainable values, 8 others" in page
    assert "30 × 30 × 1 answers, each from 70 × 70 pixels" in page
    assert "![Generator of pix2pix](images/models/pix2pix.svg)" in page
