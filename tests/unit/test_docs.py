"""Documentation that can rot is checked: error headings, links, commands."""

from __future__ import annotations

import inspect
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from sensor2sensor.core import errors

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_error_has_a_heading() -> None:
    kinds = [
        name
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.Sensor2SensorError) and name != "Sensor2SensorError"
    ]
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    assert kinds
    assert [name for name in kinds if f"\n## {name}\n" not in text] == []


def tracked_pages() -> list[Path]:
    """All pages git tracks (in a copy without git those we know of), less the piece of one."""
    words = ("git", "ls-files", "*.md")
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    pages = [ROOT / name for name in listed.splitlines()] or PAGES
    return [page for page in pages if page != ROOT / "model_tools" / "intro.md"]


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings: a repeated one gets a number."""
    found: Counter[str] = Counter()
    names = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.M):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        names.add(f"{slug}-{found[slug]}" if found[slug] else slug)
        found[slug] += 1
    return names


def test_the_readme_names_every_model() -> None:
    files = (ROOT / "models").glob("*.py")
    names = [path.stem for path in files if "\nclass GAN" in path.read_text(encoding="utf-8")]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert names
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", tracked_pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        there = page.parent / path if path else page
        assert there.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(there), f"{page.name}: {target}"


def test_the_index_leads_to_every_page() -> None:
    linked = re.findall(r"\]\(([^)#]+)", (ROOT / "docs" / "index.md").read_text(encoding="utf-8"))
    assert {ROOT / "docs" / name for name in linked} | {ROOT / "docs" / "index.md"} == set(
        (ROOT / "docs").rglob("*.md")
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_named_files_exist(page: Path) -> None:
    pattern = (
        r"`((?:sensor2sensor|preprocessing|models|tests|docs|examples|benchmarks)/[\w./-]+\.\w+)`"
    )
    for target in re.findall(pattern, page.read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), f"{page.name} names {target}"


def test_no_machine_paths() -> None:
    forbidden = re.compile(r"(/ho" + r"me/\w|/ro" + r"ot/|/wo" + r"rk/)")
    for page in PAGES:
        assert not forbidden.search(page.read_text(encoding="utf-8")), page.name
