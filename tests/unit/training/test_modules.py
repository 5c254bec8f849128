"""Modules that were edited between two parts of a training are told apart in ``run.json``."""

from __future__ import annotations

from pathlib import Path

from sensor2sensor.core.runs import Run, write_run_json
from sensor2sensor.training.modules import earlier_modules, module_changes, module_identity


def test_a_module_that_changed_is_kept_with_the_step_up_to_which_it_held(tmp_path: Path) -> None:
    source = tmp_path / "mine.py"

    def edited(text: str) -> dict[str, str | None]:
        source.write_text(text)
        return module_identity(source)

    one, two = edited("1"), edited("2")
    begun = {"model": one, "modules": {"terms": one}}
    assert earlier_modules(None, "mine", {"mine": one}, 0) == []
    # One of before its first checkpoint trained nothing that is left.
    assert earlier_modules(begun, "mine", {"mine": two, "terms": two}, 0) == []
    found = earlier_modules(begun, "mine", {"mine": two, "terms": two}, 3)
    assert found == [
        {"module": "mine", **one, "until_step": 3}, {"module": "terms", **one, "until_step": 3},
    ]  # fmt: skip
    resumed = {"model": two, "modules": {"terms": two}, "earlier_modules": found}
    assert earlier_modules(resumed, "mine", {"mine": two, "terms": two}, 6) == found
    three = edited("3")
    again = earlier_modules(resumed, "mine", {"mine": three, "terms": two}, 6)
    assert again == [*found, {"module": "mine", **two, "until_step": 6}]
    # Thrown back to a step at which the second had trained none.
    back = earlier_modules({**resumed, "earlier_modules": again}, "mine", {"mine": two}, 2)
    assert [(entry["sha256"], entry["until_step"]) for entry in back] == [(one["sha256"], 2)] * 2


def test_a_change_of_long_ago_is_said_as_well_as_one_of_now(tmp_path: Path) -> None:
    source, run = tmp_path / "mine.py", Run(tmp_path, "0715-0930")
    source.write_text("2")
    old = {"module": "mine", "file": str(source), "sha256": "0" * 64, "until_step": 3}
    noted = {"started": "2026", "model": module_identity(source), "earlier_modules": [old]}
    write_run_json(run, noted)
    said = f"{source} was another until step 3 of 0715-0930 (SHA-256 000000000000…)"
    assert module_changes(run, source, []) == [said]
    source.write_text("3")
    now = f"{source} has changed since 0715-0930 was trained with it"
    assert module_changes(run, source, []) == [said, now]
