"""The order of a page: sections within sections, their headings and the contents at the side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sensor2sensor.core.page.svg import text


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading.

    Attributes:
        key: Its anchor, of letters, digits and hyphens, once on the page.
        title: Its heading, as text.
        body: HTML under the heading.
        parts: Sections within it.
        short: In the contents, where the heading is long.
    """

    key: str
    title: str
    body: str = ""
    parts: tuple[Section, ...] = ()
    short: str = ""

    @property
    def empty(self) -> bool:
        """Whether it has nothing to show."""
        return not self.body and all(part.empty for part in self.parts)


def filled(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Those that show something."""
    return tuple(section for section in sections if not section.empty)


def drawn(section: Section, level: int = 2) -> str:
    """The section with its heading, and those within it one level deeper."""
    inner = "".join(drawn(part, level + 1) for part in filled(section.parts))
    head = f'<h{level} id="{section.key}-h">{text(section.title)}</h{level}>'
    return (
        f'<section id="{section.key}" aria-labelledby="{section.key}-h">{head}'
        f"{section.body}{inner}</section>"
    )


def contents(sections: Sequence[Section], depth: int = 2) -> str:
    """Links to sections, and to those within them."""
    items = "".join(_item(section, depth) for section in filled(sections))
    return f"<ol>{items}</ol>"


def _item(section: Section, depth: int) -> str:
    name = text(section.short or section.title)
    inner = contents(section.parts, depth - 1) if depth > 1 and filled(section.parts) else ""
    return f'<li><a href="#{section.key}">{name}</a>{inner}</li>'


def keys(sections: Sequence[Section]) -> Iterator[str]:
    """Every anchor."""
    for section in sections:
        yield section.key
        yield from keys(section.parts)


def note(told: str) -> str:
    """A line in small print; empty without words."""
    return f'<p class="note">{text(told.strip())}</p>' if told.strip() else ""


def folded(title: str, body: str, *, shown: bool = False) -> str:
    """What opens by a click; a page that is printed has it open. Empty without a body."""
    if not body:
        return ""
    state = " open" if shown else ""
    return f"<details{state}><summary>{text(title)}</summary>{body}</details>"
