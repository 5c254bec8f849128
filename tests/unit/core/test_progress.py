"""Plain lines of progress: what is said of the time left."""

from __future__ import annotations

import pytest

from sensor2sensor.core import progress


def test_the_first_item_says_nothing_of_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # 35 s for the first of 44, with all that starts only once, then 20 s each.
    clock = iter([0.0, 35.0, *(35.0 + 20.0 * n for n in range(1, 44))])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    list(progress.progress(range(44), desc="records", unit="item"))
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == ["records: 1/44 item", "records: 3/44 item, 13:40 left"]
    assert said[-1] == "records: 43/44 item, 0:20 left"
