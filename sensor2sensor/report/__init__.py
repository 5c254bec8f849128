"""Compare evaluations: everything ``summary_eval.ipynb`` calls.

Results of different data sets, splits or profiles never meet in one table.
"""

from __future__ import annotations

from sensor2sensor.report.cross_sensor import superresolution
from sensor2sensor.report.load import Group, Result, Results, Skipped, load
from sensor2sensor.report.page import save
from sensor2sensor.report.pages import (
    Page,
    boxes,
    evaluation_folder,
    gains,
    gallery,
    overview,
    ranks,
    scenes,
    summary,
)

__all__ = [
    "Group",
    "Page",
    "Result",
    "Results",
    "Skipped",
    "boxes",
    "evaluation_folder",
    "gains",
    "gallery",
    "load",
    "overview",
    "ranks",
    "save",
    "scenes",
    "summary",
    "superresolution",
]
