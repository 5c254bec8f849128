"""ARISGAN's published rows, with metrics as its code has them; they stand on a page of their own.

Au, Tsamados, Manescu, Takao, "ARISGAN: Extreme super-resolution of arctic surface imagery using
generative adversarial networks", Front. Remote Sens. 2024, 10.3389/frsen.2024.1417417. The numbers
are those of the result notebook in its public repository, not of the paper's tables.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from sensor2sensor.core import cli, files
from sensor2sensor.report.sheets import Sheet, markdown

if TYPE_CHECKING:
    import argparse

    import pandas as pd

PAGE = Path(__file__).resolve().parents[2] / "docs" / "arisgan.md"
TITLE = "ARISGAN's published rows, metrics as coded"
# In the order of its code, with the direction that its notebook flags.
METRICS = {
    "sam": ("SAM", "lower"),
    "scc": ("sCC", "higher"),
    "cc": ("CC", "higher"),
    "hpsi": ("HPSI", "higher"),
    "ssim": ("SSIM", "higher"),
    "psnr": ("PSNR", "higher"),
    "rmse": ("RMSE ×10⁻³", "lower"),
    "ergas": ("ERGAS", "lower"),
    "uiqc": ("UIQC", "higher"),
}
ARROW = {"lower": "↓", "higher": "↑"}
TASKS = {
    "sea 12x": "Sea ice, Sentinel-2 degraded 12×",
    "sea S3": "Sea ice, Sentinel-3 to Sentinel-2",
    "land 12x": "Land, Sentinel-2 degraded 12×",
    "land S3": "Land, Sentinel-3 to Sentinel-2",
}
# What the code computes under the name of a metric.
CODED = {
    "SAM": "mean angle in radians; pixels without a direction count as perfect, so an all-zero "
    "image has the best score, 0",
    "sCC": "correlation after a Sobel filter along the bands: differences of bands, not edges",
    "CC": "correlation over all pixels, mean of bands",
    "HPSI, SSIM, PSNR": "of two images that were each stretched to 0–255 by their own extremes: "
    "blind to gain and offset",
    "RMSE": "squares of bands are summed and not averaged: √3 too large for three bands; of images "
    "divided by their norm, which are about 0.002 in size; shown in thousandths",
    "ERGAS": "relative to the mean of the prediction, with the ratio 0.25 whatever the factor: 3 "
    "times too large at 12×, 7.5 times at 30×",
    "UIQC": "Q of whole images, summed over three bands and divided by 4: 0.75 at most",
}
HEAD = f"""# {TITLE}

<!-- written by python -m sensor2sensor published, from sensor2sensor/report/arisgan.csv -->

The 39 rows of the result notebook in ARISGAN's public repository (August 2023): mean ± standard
deviation over test tiles where the notebook shows one. They are not the tables of the
[paper](https://doi.org/10.3389/frsen.2024.1417417), which may differ.

**Never beside ours.** The metrics carry names of the literature and compute something else, on
other data. No table of `evaluate.py`, of the report or of these pages puts them next to a score of
profile `standard`. Profile `arisgan` computes the same formulas, so that a model may be scored as
these were; on other tiles that is still no comparison.

| metric | what the code computes |
|---|---|
"""
TAIL = """
**What a reader may conclude: little.** One seed a run, scenes shared between train and test, no
interpolation among the rows, no test of significance. Bold is the best mean of a task among the
runs that did not collapse; it is no verdict. A run that collapsed says how beside its name. HPSI is
known in part, that of land 12× from an earlier state (13 August). Batches hold 16 tiles, those of
`tarsgan` 8.

"""


def rows() -> pd.DataFrame:
    """Every row as published: ``task, model, state``, then mean and spread (``_std``) by metric.

    All of it is text, empty where the notebook shows nothing. RMSE is in thousandths; ``state``
    tells how a run collapsed and is empty for the others.
    """
    import pandas as pd

    text = resources.files("sensor2sensor.report").joinpath("arisgan.csv").read_text("utf-8")
    # As text, for a table shows the digits that were published.
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)


def sheets() -> list[Sheet]:
    """A table for each of the four tasks."""
    found = rows()
    return [_sheet(task, title, found[found["task"] == task]) for task, title in TASKS.items()]


def _sheet(task: str, title: str, part: pd.DataFrame) -> Sheet:
    import pandas as pd

    ends = [f" ({state})" if state else "" for state in part["state"]]
    names = [f"{model}{end}" for model, end in zip(part["model"], ends, strict=True)]
    table, best = pd.DataFrame(index=names), pd.DataFrame(index=names)
    for metric, (label, better) in METRICS.items():
        heading = f"{label} {ARROW[better]}"
        pairs = zip(part[metric], part[f"{metric}_std"], strict=True)
        table[heading] = [_cell(mean, spread) for mean, spread in pairs]
        # A dead network has the best SAM: who collapsed competes with nobody.
        sound = pd.to_numeric(part[metric]).where(part["state"] == "")
        # Of what is known in part nobody is the best.
        known = (part.loc[part["state"] == "", metric] != "").all()
        target = sound.min() if better == "lower" else sound.max()
        best[heading] = (known & (sound == target)).to_numpy()
    name = f"arisgan-{task.replace(' ', '-').lower()}"
    caption = "Metrics as ARISGAN's code has them, which are not those of the literature."
    return Sheet(name, f"{title}: metrics as coded", table, caption, part, best)


def _cell(mean: str, spread: str) -> str:
    return f"{mean or '–'} ± {spread}" if spread else mean or "–"


def page() -> str:
    """The whole page as Markdown."""
    coded = "".join(f"| {name} | {what} |\n" for name, what in CODED.items())
    tables = "\n".join(markdown(sheet) for sheet in sheets())
    return f"{HEAD}{coded}{TAIL}{tables.rstrip()}\n"


DOC = f"""Write docs/arisgan.md anew: {TITLE}.

  python -m sensor2sensor published
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page; returns the exit code."""
    parser = cli.parser(DOC, prog="python -m sensor2sensor published")
    return cli.main_guard(_run, parser, argv)


def _run(args: argparse.Namespace) -> int:
    del args  # the page has nothing to choose
    files.write_text(PAGE, page())
    return cli.EXIT_DONE
