"""Documentation that can rot is checked: error headings, links, commands."""

from __future__ import annotations

import inspect
import re
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


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


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
