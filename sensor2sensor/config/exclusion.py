"""Tiles that an experiment leaves out by name: ``exclude_tiles`` of ``experiment.json``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.config.evaluations import PUBLISHED
from sensor2sensor.config.jsonc import JsonDocument, Key
from sensor2sensor.config.validate import report
from sensor2sensor.core.errors import ConfigErrors, InputError
from sensor2sensor.core.manifest import fingerprint
from sensor2sensor.core.paths import expanded

if TYPE_CHECKING:
    from sensor2sensor.config.experiment_file import ExperimentFile

KEY = "exclude_tiles"
COMMENT = "#"


@dataclass(frozen=True)
class Excluded:
    """Names of tiles to leave out.

    Attributes:
        names: Of their records; empty where none is asked for.
        file: Where they were listed, empty without.
    """

    names: frozenset[str] = frozenset()
    file: str = ""

    @property
    def sha256(self) -> str:
        """Of the names: comments and their order change nothing."""
        return fingerprint(sorted(self.names))

    def as_json(self) -> dict[str, Any] | None:
        """What a run remembers of them, None where none is asked for."""
        if not self.file:
            return None
        return {"file": self.file, "tiles": len(self.names), "sha256": self.sha256}

    def text(self) -> str:
        """The names, one a line."""
        return exclusion_text(self.names)


def exclusion_text(names: Iterable[str], about: Sequence[str] = ()) -> str:
    """Content of a file that :func:`read_excluded` reads these names from: sorted, one a line.

    Args:
        names: Of tiles; each stands once.
        about: Lines of a comment at its top: which report they were ticked in, say.

    Raises:
        InputError: A name cannot stand in such a file: it would be read as another one.
    """
    chosen = sorted(set(names))
    for name in chosen:
        if not name or name != _named_by(name) or len(name.splitlines()) > 1:
            hint = f"filter it by its suffix, or build the data set without {COMMENT} in names"
            raise InputError(f"'{name}' cannot be listed by name", where=KEY, hint=hint)
    # A line break within a remark would make a name of what follows it.
    told = [" ".join(line.split()) for line in about]
    return "".join(f"{line}\n" for line in [*(f"{COMMENT} {line}" for line in told), *chosen])


def _named_by(line: str) -> str:
    """The name on a line, without what follows the sign of a comment; empty where there is none."""
    return line.partition(COMMENT)[0].strip()


def beside_its_file(config: ExperimentFile, document: JsonDocument) -> ExperimentFile:
    """The settings with files named from the root; each lies beside the file that names it.

    That is ``exclude_tiles``, and the card of a published model. What ``--set`` names lies in the
    working folder.
    """
    changes: dict[str, Any] = {}
    if config.exclude_tiles is not None:
        changes[KEY] = _beside((KEY,), config.exclude_tiles, document)
    card = config.params.get("card")
    if config.model_name == PUBLISHED and isinstance(card, str):
        place = _beside(("params", "card"), card, document)
        changes["params"] = {**config.params, "card": place}
    return config.model_copy(update=changes)


def _beside(key: Key, named: str, document: JsonDocument) -> str:
    stated = document.place_of(key).where.rpartition(":")[0]
    return str((Path(stated).parent / expanded(named)).absolute())


def read_excluded(
    named: str | None, document: JsonDocument, *, copy: Path | None = None
) -> Excluded:
    """The names in a file: one a line, empty lines and what follows a ``#`` left out.

    Args:
        named: The file; None leaves nothing out.
        document: Of the settings that name it, for the message.
        copy: A run's own copy of it, which is read instead.

    Raises:
        ConfigErrors: It cannot be read.
    """
    if named is None:
        return Excluded()
    path = copy or Path(named)
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        text = f"cannot read {path} ({reason}); give a file with a name of a tile on each line"
        raise ConfigErrors(report(document, {(KEY,): [text]})) from error
    return Excluded(frozenset(filter(None, map(_named_by, lines))), named)
