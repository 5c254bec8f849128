"""What a model's docstring says, read from its source without running it."""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

PARAMS = "params"


@dataclass(frozen=True)
class Description:
    """A module's docstring in its parts.

    Attributes:
        sentence: Its first sentence, without the model's name and the full stop.
        paper: The paragraph after it: authors, title, venue.
        text: Further paragraphs, in order.
        sections: Under each heading its points, without their bullets; ``params`` as
            ``name (default): what it does``.
    """

    sentence: str
    paper: str
    text: tuple[str, ...]
    sections: dict[str, tuple[str, ...]]


def describe(path: Path) -> Description:
    """The docstring of a model's file; all parts are empty where it has none."""
    # Bytes: so the module's own coding line counts, as it does for Python.
    docstring = ast.get_docstring(ast.parse(path.read_bytes(), filename=str(path))) or ""
    paragraphs = [part for part in re.split(r"\n\s*\n", docstring.strip()) if part.strip()]
    plain, sections = [], {}
    for paragraph in paragraphs:
        heading, _, body = paragraph.partition("\n")
        if heading.rstrip().endswith(":") and body.startswith(" "):
            sections[heading.strip().strip(":").replace("``", "")] = _points(body)
        else:
            plain.append(" ".join(paragraph.split()))
    first = plain[0] if plain else ""
    return Description(
        sentence=_sentence(first, path.stem),
        paper=plain[1] if len(plain) > 1 else "",
        text=tuple(plain[2:]),
        sections=sections,
    )


def _sentence(paragraph: str, name: str) -> str:
    paragraph = paragraph.removeprefix(f"{name}:").strip()
    # A capital must follow: neither "2.5" nor "et al. 2024" ends a sentence.
    return re.split(r"\.(?:\s+(?=[A-Z])|$)", paragraph, maxsplit=1)[0]


def _points(body: str) -> tuple[str, ...]:
    """The points of an indented list; deeper lines continue a point."""
    points: list[list[str]] = []
    for line in textwrap.dedent(body).splitlines():
        if points and line.startswith(" "):
            points[-1].append(line)
        else:
            points.append([line.removeprefix("* ")])
    return tuple(" ".join(" ".join(point).split()) for point in points)
