"""A run's sample sheets as one page that plays them: how the same tiles become what they are."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.streams import ESCAPED
from sensor2sensor.core.page.pieces import put_in, read
from sensor2sensor.core.page.svg import text
from sensor2sensor.report.runs.curves import Panel, panels
from sensor2sensor.report.runs.found import Seen
from sensor2sensor.report.runs.sheets import LAPSE, STEP, sheets_of

HERE = Path(__file__).parent
NAME = LAPSE
FRAMES = 120  # at most; thinned evenly beyond
EDGE_PX = 1400
QUALITY = 82  # of WebP
MOST_BYTES = 24e6  # of all frames, encoded: beyond it they get smaller
SMALLEST_PX = 500


def write_timelapse(seen: Seen, path: Path) -> tuple[int, int]:
    """Write the page.

    Args:
        seen: The run.
        path: The file.

    Returns:
        Frames, and the bytes of the page.

    Raises:
        InputError: There is no sheet, or the page cannot be written there.
    """
    every = sheets_of(seen.run)
    if not every:
        hint = "sheets are drawn every sample_freq steps (environment.json)"
        raise InputError("no sample sheet", where=seen.run.samples_dir, hint=hint)
    if not path.absolute().parent.is_dir():
        raise InputError("its folder is not there", where=f"--page {path}", hint="make it first")
    frames = encoded(evenly(every, FRAMES))
    if not frames:
        hint = "look at one: a kill may have cut them"
        raise InputError("no sheet can be read", where=seen.run.samples_dir, hint=hint)
    data = _page(seen, frames, len(every)).encode("utf-8", ESCAPED)
    files.write_bytes(path, data)
    return len(frames), len(data)


def evenly(every: Sequence[Path], most: int) -> list[Path]:
    """At most so many of them, evenly, the first and the last among them."""
    if len(every) <= most:
        return list(every)
    return [every[round(i * (len(every) - 1) / (most - 1))] for i in range(most)]


def encoded(sheets: Sequence[Path]) -> list[tuple[int, tuple[int, int], bytes]]:
    """Step, size in pixels and WebP of every sheet, together of bounded size.

    Sheets that cannot be read are left out.
    """
    edge = EDGE_PX
    # The last has the most detail, so what it takes is a bound for all.
    while edge > SMALLEST_PX and len(_webp(sheets[-1], edge)[1]) * len(sheets) > MOST_BYTES:
        edge = int(edge * 0.85)
    found = []
    for path in sheets:
        known = STEP.fullmatch(path.name)
        size, data = _webp(path, edge)
        if known is not None and data:
            found.append((int(known[1]), size, data))
    return found


def _webp(path: Path, edge: int) -> tuple[tuple[int, int], bytes]:
    """Size and WebP of a sheet, its longest edge bounded; nothing of what is no picture."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError):  # what Pillow says of a file that was cut
        return (0, 0), b""
    picture.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="WEBP", quality=QUALITY, method=2)
    return picture.size, buffer.getvalue()


def _page(seen: Seen, frames: Sequence[tuple[int, tuple[int, int], bytes]], count: int) -> str:
    steps = [step for step, _, _ in frames]
    images = "".join(
        f'<img alt="sample sheet of step {step}" width="{width}" height="{height}"'
        f'{"" if place == len(frames) - 1 else " hidden"} '
        f'src="data:image/webp;base64,{base64.b64encode(data).decode("ascii")}">'
        for place, (step, (width, height), data) in enumerate(frames)
    )
    left, found = count - len(frames), panels([seen.run])
    told = f"{len(frames)} steps, {steps[0]} to {steps[-1]}"
    return put_in(
        {
            "title": text(seen.name),
            "told": told + (f"; {left} more sheets between them are left out" if left else ""),
            "style": read("page.css") + read("timelapse.css", HERE),
            "frames": images,
            "last": str(len(frames) - 1),
            "step": str(steps[-1]),
            "curves": _choices(found),
            "data": _data(steps, found),
            "script": read("timelapse.js", HERE),
        },
        read("timelapse.html", HERE),
    )


def _looked(found: Sequence[Panel]) -> list[Panel]:
    """Values of validations with several points: what a curve beside the sheets may show."""
    return [panel for panel in found if panel.looks and len(panel.looks[0][1][0]) > 1]


def _choices(found: Sequence[Panel]) -> str:
    return "".join(
        f'<option value="{text(panel.name)}">{text(panel.title)}</option>'
        for panel in _looked(found)
    )


def _data(steps: Sequence[int], found: Sequence[Panel]) -> str:
    curves: dict[str, Any] = {panel.name: panel.looks[0][1] for panel in _looked(found)}
    told = json.dumps({"steps": steps, "curves": curves}, separators=(",", ":"))
    return re.sub("[<>&]", lambda sign: f"\\u{ord(sign[0]):04x}", told)
