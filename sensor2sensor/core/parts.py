"""A step done in parts by runs that know nothing of each other, and joined when all are there.

Each part takes every n-th item of the same list and leaves a note when it has worked through them:
what it was asked for, which items it took and which failed. Whoever joins the parts believes
nothing but the notes and what lies in the folder.
"""

from __future__ import annotations

import argparse
import glob
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError, Sensor2SensorError
from sensor2sensor.core.locks import InUseError, holder
from sensor2sensor.core.manifest import differences, fingerprint
from sensor2sensor.core.versions import __version__

T = TypeVar("T")
FOLDER = "parts"


@dataclass(frozen=True)
class Part:
    """One of ``of`` parts; the first is number 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def name(self) -> str:
        """As in the names of files: numbers of equal length are in order."""
        return f"{self.number:05d}-of-{self.of:05d}"

    def share(self, items: Sequence[T]) -> list[T]:
        """Every ``of``-th item, so that neighbours, which are alike, are spread over all parts."""
        return list(items[self.number - 1 :: self.of])


def part(text: str) -> Part:
    """``3/8``, as a type of an option."""
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise argparse.ArgumentTypeError(f"{text} is no part; the third of eight is 3/8")
    return Part(int(number), int(of))


@contextmanager
def of_the_whole(lock: Path) -> Iterator[None]:
    """Hold the lock of a folder, of which no part is being made.

    Raises:
        InUseError: Another run holds it, or a part of it.
    """
    with files.lock(lock):
        for path in sorted(lock.parent.glob(f"{glob.escape(_stem(lock))}.part-*.lock")):
            if (by := holder(path)) is not None:
                raise InUseError(f"in use by {by}", where=path, hint="wait for that part")
        yield


@contextmanager
def of_a_part(lock: Path, one: Part) -> Iterator[None]:
    """Hold the lock of one part of a folder, which nobody holds as a whole.

    Each takes its own lock before it looks at the other's: of two that begin at once one gives way,
    or both.

    Raises:
        InUseError: Another run holds one of them.
    """
    with files.lock(lock.with_name(f"{_stem(lock)}.part-{one.name}.lock")):
        if (by := holder(lock)) is not None:
            raise InUseError(f"in use by {by}", where=lock, hint="wait for it")
        yield


def _stem(lock: Path) -> str:
    return lock.name.removesuffix(".lock")


@dataclass(frozen=True)
class Done:
    """What the parts have left.

    Attributes:
        failed: Reasons, by item.
        notes: Of each part, what its step put there.
    """

    failed: dict[str, str]
    notes: list[dict[str, Any]]


class Parts:
    """The notes of the parts of a folder.

    Args:
        folder: Of what the step makes; the notes lie in a folder of their own in it.
        asked: What all parts have to agree in.
        items: Names of all items, in order.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any], items: Sequence[str]) -> None:
        self.folder = folder / FOLDER
        self._items = list(items)
        self._head = {"version": __version__, **asked, "items": fingerprint(self._items)[7:19]}

    def path(self, one: Part) -> Path:
        """Where the note of a part stands once it is done."""
        return self.folder / f"{one.name}.json"

    def begin(self, one: Part) -> None:
        """From here to :meth:`end` the part is not done."""
        files.remove(self.path(one))

    def end(self, one: Part, failed: Sequence[tuple[str, str]], **note: Any) -> None:
        """The part is done.

        Args:
            one: The part.
            failed: Items with reasons.
            note: More that whoever joins the parts has to know.
        """
        took = one.share(self._items)
        content = {"asked": self._head, "took": took, "failed": dict(failed), "note": note}
        files.write_json(self.path(one), content)

    def collect(self, of: int) -> Done:
        """What the parts have left, all of them.

        Raises:
            InputError: One is not done, or was asked for something else; an item is in none of
                them, or in two.
        """
        every = [Part(number, of) for number in range(1, of + 1)]
        lacking = [str(one) for one in every if not self.path(one).is_file()]
        if lacking:
            named = ", ".join(lacking[:10]) + (" ..." if len(lacking) > 10 else "")
            what = f"{len(lacking)} of {of} parts are not done: {named}"
            hint = f"run them (--part {lacking[0]}), then --merge {of} again"
            raise InputError(what, where=self.folder.parent, hint=hint)
        noted = {one: self._note(one) for one in every}
        for one, content in noted.items():
            if found := differences(content["asked"], self._head):
                hint = f"repeat it with --part {one} and the options of this command"
                raise InputError(
                    f"part {one} was made for something else: {'; '.join(found)}",
                    where=self.folder.parent, hint=hint,
                )  # fmt: skip
        taken = Counter(name for content in noted.values() for name in content["took"])
        wrong = [name for name in self._items if taken[name] != 1]
        if wrong or len(taken) != len(self._items):
            what = f"its parts have {wrong[0] if wrong else 'items'} not just once"
            raise InputError(what, where=self.folder.parent, hint="repeat the parts")
        failed = {
            name: why for content in noted.values() for name, why in content["failed"].items()
        }
        return Done(failed, [content["note"] for content in noted.values()])

    def _note(self, one: Part) -> dict[str, Any]:
        path, hint = self.path(one), f"repeat --part {one}"
        try:
            found = files.read_json(path)
        except Sensor2SensorError as error:
            raise InputError(str(error.what), where=path, hint=hint) from None
        form = {"asked": dict, "took": list, "failed": dict, "note": dict}
        sound = isinstance(found, dict) and all(
            isinstance(found.get(key), kind) for key, kind in form.items()
        )
        if not sound:
            raise InputError("is no note of a part", where=path, hint=hint)
        return dict(found)

    def clear(self) -> None:
        """Remove the notes, the whole being there."""
        if self.folder.is_dir():
            files.sweep(self.folder)
            for path in sorted(self.folder.glob("*-of-*.json")):
                files.remove(path)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()
