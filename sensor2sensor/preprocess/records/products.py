"""Which products a data set is made of, inventory by inventory: ``products.csv`` beside its tiles.

``dataset.json`` keeps options, versions and the digest of each inventory's ``tiles.csv``; ten
thousand names of products would make it megabytes that every training reads. Folders of tiles are
removed one day, and then this table alone says what the ground was seen by.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.manifest import differences
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.preprocess.records.inputs import Tile, TileSet
from sensor2sensor.sources.writer.existing import PRODUCTS_FILE

AND = " // "  # between products, as in tiles.csv
HEADER = ("inventory", "s2", "s3", "tiles")


def write_products(folder: Path, tiles: TileSet) -> None:
    """Write the products of an inventory beside those of the others a data set holds.

    Args:
        folder: ``<dataset>/<tilesize>``, finished.
        tiles: Of the inventory; counted with those that came into no split.
    """
    path, held = folder / PRODUCTS_FILE, _inventories(folder)
    before = list(csv.reader(io.StringIO(path.read_text("utf-8")))) if path.is_file() else []
    kept = [row for row in before[1:] if row and row[0] in held and row[0] != tiles.inventory]
    counts = Counter(map(_pair, tiles.tiles))
    own = [[tiles.inventory, s2, s3, str(count)] for (s2, s3), count in counts.items()]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *sorted([*kept, *own])])
    if not path.is_file() or path.read_text("utf-8") != text.getvalue():
        files.write_text(path, text.getvalue())


def _pair(tile: Tile) -> tuple[str, str]:
    """Its products, those that are joined behind the first of each sensor."""
    s2, s3 = zip((tile.s2, tile.s3), tile.joined, strict=True)
    return AND.join(filter(None, s2)), AND.join(filter(None, s3))


def _inventories(folder: Path) -> dict[str, Mapping[str, Any]]:
    listed = load_contract(folder).provenance.get("inventories", [])
    return {facts["name"]: facts for facts in listed}


def unlike(folders: Sequence[Path], tiles: TileSet) -> tuple[str, ...]:
    """Lines on inventories in a data set whose tiles were made with other options than these.

    What must be equal (bands, level, resolution, sensors) the writer refuses; limits on clouds and
    the like may differ, and a reader of scores should know.

    Args:
        folders: Of the data sets that are there.
        tiles: Of the inventory that joins them.
    """
    held = {name: facts for folder in folders for name, facts in _inventories(folder).items()}
    found = []
    for name, facts in held.items():
        if name != tiles.inventory and (other := differences(facts["step40"], tiles.options)):
            found.append(
                f"tiles of {name} (there) and {tiles.inventory} differ: {'; '.join(other)}"
            )
    return tuple(found)
