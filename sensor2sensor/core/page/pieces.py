"""What pages are put together from: templates, styles and scripts that lie beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent


def read(name: str, folder: Path = HERE) -> str:
    """A piece that lies in a folder, by default that of every page."""
    return (folder / name).read_text("utf-8")


def put_in(values: Mapping[str, str], template: str) -> str:
    """The template with its values; each is put in once, so that none is looked for in another."""
    pieces = template.split("{{")
    made = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        made += [values[name], rest]
    return "".join(made)
