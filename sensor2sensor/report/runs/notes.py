"""What people note of a run: ``logs/<timestamp>/notes.json``, beside what the run says itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sensor2sensor.core import files, times
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.runs import Run

NAME = "notes.json"
WAIT_S = 5.0


class Note(BaseModel):
    """One note and when it was made, UTC."""

    model_config = ConfigDict(frozen=True)

    time: str
    text: str


_NOTES = TypeAdapter(tuple[Note, ...])


def notes_of(run: Run) -> tuple[Note, ...]:
    """Its notes, the earliest first; one that says so where they cannot be read."""
    try:
        return _read(run)
    except InputError as error:
        return (Note(time="", text=f"{NAME} cannot be read: {error.what}"),)
    except OSError as error:  # another user's
        return (Note(time="", text=f"{NAME} cannot be read: {error.strerror}"),)


def add_note(run: Run, text: str, now: datetime) -> None:
    """Add a note to those that are there.

    Args:
        run: The run, which may be running.
        text: What to note.
        now: When, aware.

    Raises:
        InputError: There is nothing to note, or what is noted already cannot be read.
    """
    if not (text := " ".join(text.split())):
        raise InputError("nothing to note", hint="write it behind the run, in quotes")
    path = run.logs_dir / NAME
    with files.lock(path.with_name(f".{NAME}.lock"), WAIT_S):
        known: list[Any] = [note.model_dump() for note in _read(run)]
        files.write_json(path, [*known, {"time": times.format_utc(now), "text": text}])


def _read(run: Run) -> tuple[Note, ...]:
    path = run.logs_dir / NAME
    if not path.is_file():
        return ()
    try:
        return _NOTES.validate_python(files.read_json(path))
    except ValidationError:
        problem = "is no list of notes"
        raise InputError(problem, where=path, hint="mend it, or move it away") from None
