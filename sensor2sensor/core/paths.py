"""Paths as users have them: of any name, any length and any bytes."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sensor2sensor.core.errors import InputError, ProductError

# What TensorFlow takes for a pattern when it looks whether a checkpoint is there.
_PATTERN = frozenset("*?[]\\")


def below(path: Path, root: Path) -> str:
    """A path that was found below a folder, as tables name it: with forward slashes."""
    # Thousands are named again and again, and Path.relative_to takes its time.
    prefix, text = f"{root}{os.sep}", str(path)
    if not text.startswith(prefix):
        return path.relative_to(root).as_posix()
    return text[len(prefix) :].replace(os.sep, "/")


def fault_of(path: Path, *, typed: bool = False) -> str | None:
    r"""Why no file can have this path here, as the end of a sentence; None where one can.

    Args:
        path: The path.
        typed: It stands in a JSON file, where ``"D:\new"`` is a line break after ``D:``.
    """
    text = str(path)
    if any(char < " " for char in text):
        way_out = "in a Windows path write \\\\ or / for each backslash"
        return f"holds a control character; {way_out if typed else 'rename that folder'}"
    encoding = sys.getfilesystemencoding()
    if encoding.lower() not in ("utf-8", "utf8") and not text.isascii():
        # The names are sound, but Python reads them in another encoding than GDAL and HDF5 do.
        return (
            f"holds signs beyond ASCII, and file names are read as {encoding} in this locale; "
            "set PYTHONUTF8=1 or a UTF-8 LANG"
        )
    try:
        text.encode()
        path.lstat()
    except UnicodeEncodeError:
        return "holds a byte that is no UTF-8; rename that folder"
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return f"{len(text)} letters are more than the system allows"
    return None


def zip_member(archive: Path, member: str) -> str:
    """The path by which GDAL opens a member of a zip; braces let the zip have any ending.

    Raises:
        ProductError: No path means this zip to GDAL.
    """
    zipped = str(archive.absolute())
    if paired_braces(zipped):
        return f"/vsizip/{{{zipped}}}/{member}"
    if archive.suffix.lower() != ".zip":
        problem = "GDAL cannot open a zip with unpaired braces in its path and no .zip ending"
        raise ProductError(problem, where=archive, hint="add .zip to its name")
    # GDAL counts braces to find the end of the archive's name; without any it looks for a file
    # that ends in .zip.
    return f"/vsizip/{zipped}/{member}"


def paired_braces(text: str) -> bool:
    """Whether every brace that opens is closed, in that order."""
    depth = 0
    for char in text:
        depth += (char == "{") - (char == "}")
        if depth < 0:
            return False
    return depth == 0


@contextmanager
def plainly_named(folder: Path) -> Iterator[Path]:
    """The folder under a path without signs that TensorFlow takes for a pattern.

    It looks for a checkpoint ``a [1]/ckpt-9`` as for a pattern, which does not match itself, and
    then says that there is none. A link in a temporary folder has no such signs.

    Yields:
        ``folder`` itself, or a link to it that is there inside the block only.

    Raises:
        InputError: The temporary folder has such signs in its name, too.
    """
    if not _PATTERN & set(str(folder)):
        yield folder
        return
    if _PATTERN & set(tempfile.gettempdir()):
        hint = "set TMPDIR to a folder without * ? [ ] and backslashes in its name"
        raise InputError("TensorFlow cannot read here", where=folder, hint=hint)
    with tempfile.TemporaryDirectory() as room:
        link = Path(room) / "link"
        link.symlink_to(folder.absolute(), target_is_directory=True)
        yield link


def expanded(text: str | os.PathLike[str]) -> Path:
    """A path with ``~`` replaced; InputError where ``~name`` is nobody's home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        hint = "write the whole path, or ./ before a name that begins with ~"
        raise InputError(f"'{text}' is below the home of an unknown user", hint=hint) from None
