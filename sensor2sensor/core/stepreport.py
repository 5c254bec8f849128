"""What a step did, item by item, and the lines that say so."""

from __future__ import annotations

import re

from sensor2sensor.core import streams

EXIT_DONE, EXIT_SOME_FAILED = 0, 1
# What differs between items that failed of one cause: product names and what stands in brackets.
_PARTICULARS = re.compile(r"\([^()]*\)|[^\s;,:]*\d{8}T\d{6}[^\s;,:]*")


class StepReport:
    """Counts what a step did, or in a dry run what it would do, and prints the final line."""

    def __init__(self, step: str, *, dry_run: bool = False) -> None:
        self.step = step
        self.dry_run = dry_run
        self.done_items: list[str] = []
        self.skipped_items: list[str] = []
        self.failed_items: list[tuple[str, str]] = []
        self.notes: list[str] = []

    def done(self, item: str) -> None:
        """Count an item as done."""
        self.done_items.append(item)

    def skipped(self, item: str) -> None:
        """Count an item as finished earlier with equal inputs and options."""
        self.skipped_items.append(item)

    def failed(self, item: str, reason: str) -> None:
        """Count an item as failed, with the reason."""
        self.failed_items.append((item, reason))

    def note(self, text: str) -> None:
        """Remember a line to print before the counts."""
        self.notes.append(text)

    def finish(self) -> int:
        """Print notes, failures and counts; returns the exit code."""
        self.tell()
        done = "would be done" if self.dry_run else "done"
        print(
            f"{self.step}: {len(self.done_items)} {done}, {len(self.skipped_items)} already there,"
            f" {len(self.failed_items)} failed",
            flush=True,
        )
        return EXIT_SOME_FAILED if self.failed_items else EXIT_DONE

    def tell(self) -> None:
        """Print notes and failures once: what stops a step in the end must not hide them."""
        for text in self.notes:
            print(text)
        for line in self._failures():
            print(f"  failed: {line}")
        self.notes.clear()

    def _failures(self) -> list[str]:
        """A line for each cause: the first item with its reason, then the others' names."""
        causes: dict[str, list[tuple[str, str]]] = {}
        for failed, reason in self.failed_items:
            item = streams.one_line(failed)
            cause = _PARTICULARS.sub("", _named(item).sub("", reason))
            causes.setdefault(cause, []).append((item, reason))
        lines = []
        for (item, reason), *others in causes.values():
            line = reason if _named(item).search(reason) else f"{item}: {reason}"
            if others:
                line += f"\n          and {len(others)} more like it: "
                line += ", ".join(name for name, _ in others)
            lines.append(line)
        return lines


def _named(item: str) -> re.Pattern[str]:
    """An item where a reason names it; the item `0` is not named by a reason with 10 in it."""
    return re.compile(rf"(?<!\w){re.escape(item)}(?!\w)")
