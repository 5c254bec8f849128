"""The report as one page that needs nothing else: no network, no fonts, no scripts of others."""

from __future__ import annotations

import html
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.page.pieces import read
from sensor2sensor.core.page.section import Section, note
from sensor2sensor.core.page.tables import table
from sensor2sensor.core.page.whole import whole
from sensor2sensor.core.streams import ESCAPED
from sensor2sensor.core.versions import __version__, library_versions
from sensor2sensor.report.load import Results
from sensor2sensor.report.page import conclusions, group
from sensor2sensor.report.page.crossed import crossed
from sensor2sensor.report.page.pictures import MANY, Album
from sensor2sensor.report.page.view import View
from sensor2sensor.report.pages import Page, line_of

if TYPE_CHECKING:
    import pandas as pd

NAME = "report.html"
HERE, SCRIPT = Path(__file__).parent, "page.js"
TICKED = '<aside id="ticked" aria-live="polite" aria-label="Ticked tiles" hidden></aside>\n'
USED = ("python", "numpy", "pandas", "pydantic")  # what makes this page


def page(results: Results) -> str:
    """The whole page as HTML.

    Args:
        results: What was read; may be empty, and then the page says what to do.
    """
    pictures = sum(len(r.facts.gallery) + len(r.facts.fixed) for r in results.results)
    album = Album(many=pictures > MANY)
    groups = results.groups
    views = [
        View(found, name, f"g{number}")
        for number, (found, name) in enumerate(zip(groups, group.titles(groups), strict=True), 1)
    ]
    sections = [group.section(view, album) for view in views]
    sections += [crossed(results), _read(results), _skipped(results)]
    sections.append(_made(results, album))
    lead = conclusions.drawn(conclusions.conclusions(results, views))
    kind, script = "Evaluation report", read(SCRIPT, HERE)
    return whole(kind, _title(results), lead, sections, beside=TICKED, script=script)


def write_page(results: Results, path: Path | None = None) -> tuple[Path, int]:
    """Write the page as one file.

    Args:
        results: What was read.
        path: The file; ``report.html`` beside the evaluations by default.

    Returns:
        The file and its bytes.

    Raises:
        InputError: The file cannot be written there.
    """
    path = results.folder / NAME if path is None else path
    data = page(results).encode("utf-8", ESCAPED)
    try:
        files.write_bytes(path, data)
    except OSError as error:
        hint = "name a file elsewhere with --page"
        raise InputError(
            f"cannot write the page ({error.strerror})", where=path, hint=hint
        ) from error
    return path, len(data)


def save(results: Results, path: str | Path | None = None) -> Page:
    """Write the page as one file, for a notebook; shows where it lies.

    Args:
        results: What was read.
        path: The file; ``report.html`` beside the evaluations by default.
    """
    written, size = write_page(results, None if path is None else Path(path))
    link = html.escape(written.absolute().as_uri(), quote=True)
    told = (
        f"{html.escape(str(written))}, {size / 1e6:.1f} MB, to be opened in a browser or sent on."
    )
    return Page(f'<p><a href="{link}">The report as a page</a>: {told}</p>')


def _title(results: Results) -> str:
    models = {result.facts.experiment for result in results.results}
    if not models:
        return "No evaluation to compare"
    if len(models) == 1:
        return f"How {next(iter(models))} fares"
    return f"{len(models)} experiments compared"


def _read(results: Results) -> Section:
    import pandas as pd

    lines = [line_of(result) for result in results.results]
    frame = pd.DataFrame(lines).set_index("experiment") if lines else pd.DataFrame()
    body = table(frame, "Every evaluation that was read")
    empty = note(
        f"No evaluation to compare in {results.folder.name}. Train and evaluate an experiment "
        "first."
    )
    return Section("read", "What was read", body or empty)


def _skipped(results: Results) -> Section:
    import pandas as pd

    bad = [{"file": s.path.name, "skipped because": s.reason} for s in results.skipped]
    frame = pd.DataFrame(bad).set_index("file") if bad else pd.DataFrame()
    return Section("skipped", "Skipped", table(frame, "Files that take no part, and why"))


def _made(results: Results, album: Album) -> Section:
    body = table(_versions(results), "Programs and conventions", corner="what")
    told = (
        f"{album.count} pictures in {album.size / 1e6:.1f} MB, WebP of quality {album.quality}, at "
        f"most {album.edge_px} px, small ones without loss; the PNG files beside the evaluations "
        "are the originals. Everything is in this file: it may be sent on."
    )
    return Section("made", "How this was made", body + note(told if album.count else ""))


def _versions(results: Results) -> pd.DataFrame:
    import pandas as pd

    versions = library_versions()
    facts = [result.facts for result in results.results]
    profiles = Counter(fact.profile for fact in facts)
    sets = dict.fromkeys((f.dataset.name, f.dataset.sha256.split(":")[-1][:12]) for f in facts)
    rows = {
        "sensor2sensor": __version__,
        **{name: versions[name] for name in USED if name in versions},
        "metrics version": ", ".join(sorted({str(f.metrics_version) for f in facts})) or "–",
        "profiles": ", ".join(f"{name} ({count})" for name, count in profiles.items()) or "–",
        "data sets, SHA-256": "; ".join(f"{name} {digest}…" for name, digest in sets) or "–",
    }
    return pd.DataFrame({"value": rows})
