"""A whole page: its head, contents at the side, sections, style and scripts in one HTML file."""

from __future__ import annotations

from collections.abc import Sequence

from sensor2sensor.core.page.pieces import put_in, read
from sensor2sensor.core.page.section import Section, contents, drawn, filled
from sensor2sensor.core.page.svg import text

# Of the pages on quality and the numbers behind them, beside tiles and in data sets.
QUALITY_PAGE, QUALITY_TABLE = "quality.html", "quality.csv"


def whole(
    eyebrow: str,
    title: str,
    lead: str,
    sections: Sequence[Section],
    *,
    beside: str = "",
    script: str = "",
) -> str:
    """The page as HTML.

    Args:
        eyebrow: What kind of page it is, above the title.
        title: As text.
        lead: HTML below the title.
        sections: Those that show nothing are left out.
        beside: HTML behind the sections.
        script: Behind those that every page has.
    """
    shown = filled(sections)
    return put_in(
        {
            "title": text(title),
            "eyebrow": text(eyebrow),
            "style": read("page.css"),
            "contents": contents(shown),
            "lead": lead,
            "sections": "".join(drawn(section) for section in shown),
            "beside": beside,
            "enlarged": read("enlarged.html"),
            "script": read("common.js") + read("enlarged.js") + read("contents.js") + script,
        },
        read("shell.html"),
    )
