"""The files and the tables that profile ``torchsisr`` adds to an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.config.cross_tables import tables
from sensor2sensor.core import files
from sensor2sensor.evaluation.curves import write_curves
from sensor2sensor.evaluation.detail import COLUMNS, Detail

if TYPE_CHECKING:
    from rich.console import Console


def write_detail(detail: Detail, facts: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """``bands.csv``, the curves and the mosaics; returns the entries of the gallery.

    Args:
        detail: Of the evaluation.
        facts: Its document.
        folder: ``_evaluation/<stem>_gallery``.
    """
    # In the gallery: beside the tables it would be one without the JSON that vouches for it.
    files.write_csv(folder / "bands.csv", COLUMNS, list(detail.rows()))
    return write_curves(facts["fda"], folder) + detail.mosaics.write(folder)


def show_detail(facts: dict[str, Any], console: Console) -> None:
    """Print the tables of bands, frequencies, flow and sites."""
    from rich.table import Table
    from rich.text import Text

    for title, (headings, rows) in tables(facts, [facts["mode"]]).items():
        table = Table(title=Text(title), title_justify="left", title_style="bold")
        for heading in headings:
            left = heading in ("band", "method", "site", "image")
            table.add_column(Text(heading), justify="left" if left else "right")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
