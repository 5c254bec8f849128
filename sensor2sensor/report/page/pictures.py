"""Pictures within the page, each embedded once: the page scales it down, a click enlarges it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path

from sensor2sensor.core.page.svg import text
from sensor2sensor.report.file import Picture
from sensor2sensor.report.load import Result

QUALITY = 84  # of WebP; the PNG beside the evaluation is without loss
EDGE_PX = 1800
MANY = 240  # pictures beyond which all are smaller: a page must stay one that opens
MANY_QUALITY, MANY_EDGE_PX = 72, 1100


@dataclass
class Album:
    """Encodes pictures and knows how many bytes they took.

    Attributes:
        many: Whether there are so many that all are smaller.
        count: Pictures embedded.
        size: Their bytes, encoded.
        missing: Files that were not there, or no picture.
    """

    many: bool = False
    count: int = 0
    size: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def quality(self) -> int:
        """Of WebP, 0 to 100."""
        return MANY_QUALITY if self.many else QUALITY

    @property
    def edge_px(self) -> int:
        """Longest edge of a picture."""
        return MANY_EDGE_PX if self.many else EDGE_PX

    def image(self, result: Result, entry: Picture, alt: str) -> str:
        """One picture of an evaluation as a button that enlarges it; a line without it."""
        path = result.path.parent / entry.file
        # A JSON from elsewhere must not bring files from outside its folder into the page.
        inside = path.resolve().is_relative_to(result.path.parent.resolve())
        if not inside or not path.is_file():
            return self._without(entry, "is missing")
        try:
            return self.button(path, alt)
        except OSError:  # what Pillow says of a file that was cut
            return self._without(entry, "cannot be read")

    def _without(self, entry: Picture, why: str) -> str:
        self.missing.append(entry.file)
        return f'<p class="note">{text(entry.file)} {why}; run evaluate.py again</p>'

    def button(self, path: Path, alt: str) -> str:
        """An image file as a button that enlarges it."""
        data, (width, height) = self._encoded(path)
        self.count, self.size = self.count + 1, self.size + len(data)
        code = base64.b64encode(data).decode("ascii")
        return (
            f'<button class="zoom" type="button" title="enlarge"><img loading="lazy" '
            f'decoding="async" width="{width}" height="{height}" alt="{text(alt)}" '
            f'src="data:image/webp;base64,{code}"></button>'
        )

    def _encoded(self, path: Path) -> tuple[bytes, tuple[int, int]]:
        from PIL import Image

        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        if max(picture.size) > self.edge_px:
            picture.thumbnail((self.edge_px, self.edge_px), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        # Small tiles stay without loss: they are enlarged to their pixels.
        small = max(picture.size) <= 320 and not self.many
        picture.save(buffer, format="WEBP", quality=self.quality, lossless=small, method=2)
        return buffer.getvalue(), picture.size
