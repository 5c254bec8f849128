"""Tiles that an experiment leaves out by name: ``exclude_tiles`` of ``experiment.json``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.config.jsonc import JsonDocument
from sensor2sensor.config.validate import report
from sensor2sensor.core.errors import ConfigErrors
from sensor2sensor.core.manifest import fingerprint
from sensor2sensor.core.paths import expanded

if TYPE_CHECKING:
    from sensor2sensor.config.experiment_file import ExperimentFile

KEY = "exclude_tiles"


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
        return "".join(f"{name}\n" for name in sorted(self.names))


def beside_its_file(config: ExperimentFile, document: JsonDocument) -> ExperimentFile:
    """The settings with the file named from the root; it lies beside the one that names it.

    What ``--set`` names lies in the working folder.
    """
    if config.exclude_tiles is None:
        return config
    stated = document.place_of((KEY,)).where.rpartition(":")[0]
    path = (Path(stated).parent / expanded(config.exclude_tiles)).absolute()
    return config.model_copy(update={KEY: str(path)})


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
    names = (line.partition("#")[0].strip() for line in lines)
    return Excluded(frozenset(filter(None, names)), named)
