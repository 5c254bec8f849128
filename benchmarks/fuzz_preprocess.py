"""Whatever is written into names, metadata, masks, selections and inventories: one line, no harm.

    python -m benchmarks.fuzz_preprocess [--minutes 5] [--seed 0] [--only 17]

Each round copies a tiny archive, damages one thing in it (a product's name, its XML, a KML mask, a
selection, an inventory's table or manifest, environment.json, a zip's bytes), and runs steps 10 to
40 over it in this process. A round fails where a door leaves with another exit code than 0, 1 or
2, says a traceback or the name of a mistake in the program, takes longer than a minute, or writes
outside of the data root. A round is made again by its number: --only.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
RESULT = ROOT / "benchmarks" / "results" / "fuzz_preprocess.json"
LIMIT_S = 60
INVENTORY = "inv_T17XNA_2.5h"
KML = (
    '<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><Polygon>'
    "<outerBoundaryIs><LinearRing><coordinates>-81.1,72.9 -80.8,72.9 -80.8,73.1 -81.1,73.1 "
    "-81.1,72.9</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></Document></kml>"
)
# Of mistakes in the program, and of the line that asks to report one.
MISTAKE = re.compile(
    r"Traceback|please report it|\b(?:Assertion|Attribute|Index|Key|Lookup|Name|Recursion|Type|"
    r"UnboundLocal|UnicodeDecode|UnicodeEncode|Value)Error\b"
)
WORDS = (
    b"", b"0", b"-1", b"1e999", b"nan", b"99999999999999999999", b"0,5", b"null", b"[]", b"{}",
    b"../../../x", b"/etc/passwd", b"\x00", b"\xff\xfe", b"\xe2\x80\xae", b"&a;", b"<", b">", b'"',
    b"2022-13-45T99:00:00Z", b"0001-01-01T00:00:00Z", b"%s%n", b"'; --", b"=1+1", b"\n", b"\r\n",
)  # fmt: skip
TOKEN = re.compile(rb'[\w.:+-]+|[<>",;{}\[\]]')


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes with one to three changes: a word for another, cut, doubled, dropped, turned over."""
    for _ in range(int(rng.integers(1, 4))):
        if not data:
            return data
        at, length = int(rng.integers(len(data))), int(rng.integers(1, 200))
        how = int(rng.integers(6))
        if how <= 1:  # most faults of hands and programs are in a single word
            tokens = list(TOKEN.finditer(data))
            token = tokens[int(rng.integers(len(tokens)))] if tokens else None
            first, last = token.span() if token else (at, at)
            data = data[:first] + WORDS[int(rng.integers(len(WORDS)))] + data[last:]
        elif how == 2:
            data = data[:at]
        elif how == 3:
            data = data[:at] + data[at : at + length] + data[at:]
        elif how == 4:
            data = data[:at] + data[at + length :]
        else:
            data = data[:at] + rng.bytes(min(length, 8)) + data[at + min(length, 8) :]
    return data


def damage_name(path: Path, rng: np.random.Generator) -> str:
    """Rename a product; the new name stays one that a file system takes."""
    new = damaged(path.name.encode(), rng).replace(b"/", b"_").replace(b"\x00", b"_")[:200]
    text = new.decode("utf-8", "surrogateescape").strip(".") or "x"
    if not (target := path.with_name(text)).exists():
        path.rename(target)
    return f"{path.name} -> {text!r}"


def targets(root: Path) -> dict[str, list[Path]]:
    """What may be damaged, by its kind."""
    data = root / "data"
    products = [path for path in sorted(root.glob("s[23]/**/S[23]*")) if _is_product(path)]
    return {
        "name": products,
        "xml": sorted(
            path
            for path in root.glob("s[23]/**/*")
            if path.suffix in (".xml", ".safe", ".gml") and path.is_file()
        ),
        "zip": sorted(root.glob("s[23]/**/*.zip")),
        "kml": [data / "_masks" / "ice.kml"],
        "selection": [data / "_inventory" / "sel.json"],
        "inventory": [data / "_inventory" / f"{INVENTORY}.csv"],
        "manifest": [data / "_inventory" / f"{INVENTORY}.json"],
        "environment": [root / "environment.json"],
    }


def _is_product(path: Path) -> bool:
    return path.suffix in (".SAFE", ".SEN3", ".zip")


def hurt(root: Path, rng: np.random.Generator) -> str:
    """Damage one thing below a folder; says what."""
    kinds = targets(root)
    kind = list(kinds)[int(rng.integers(len(kinds)))]
    path = kinds[kind][int(rng.integers(len(kinds[kind])))]
    if kind == "name":
        return f"name {damage_name(path, rng)}"
    path.write_bytes(damaged(path.read_bytes(), rng))
    return f"{kind} {path.relative_to(root)}"


def doors(root: Path) -> dict[str, Callable[[], int]]:
    """Steps 10 to 40 over an archive."""
    from sensor2sensor.preprocess import tilecodes
    from sensor2sensor.preprocess.inventory import run as inventory
    from sensor2sensor.preprocess.quicklooks import run as quicklooks
    from sensor2sensor.preprocess.tiles import run as tiles

    env = ["--environment", str(root / "environment.json")]
    cut = ["--tilesize", "64", "--quantity", "1", "--margin", "0", "--masks", "ice", "--grid"]
    return {
        "10": lambda: tilecodes.main(env),
        "20": lambda: inventory.main([*env, "--tile", "T17XNA", "--timediff", "2.5"]),
        "30": lambda: quicklooks.main([*env, "--inventory", INVENTORY, "--overlap", "0"]),
        "40": lambda: tiles.main([*env, "--selection", "sel", "--overlap", "0", *cut]),
    }


def prepared(root: Path) -> None:
    """The archive that every round begins with: inventory, selection, mask."""
    from tests.scripts.step_archive import fresh_copy

    fresh_copy(root)
    with contextlib.redirect_stdout(io.StringIO()):
        if doors(root)["20"]():
            raise SystemExit("step 20 failed on the whole archive")
    (root / "data" / "_masks").mkdir()
    (root / "data" / "_masks" / "ice.kml").write_text(KML)
    selection = {"inventory": INVENTORY, "s2_indices": [0, 2]}
    (root / "data" / "_inventory" / "sel.json").write_text(json.dumps(selection))


def fuzz_round(base: Path, number: int, seed: int) -> tuple[str, list[str]]:
    """One round: what was damaged, and a line for each thing that must not be."""
    rng = np.random.default_rng([seed, number])
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        root = Path(folder) / "a" / "archive"
        shutil.copytree(base, root)
        what = hurt(root, rng)
        before = outside(root)
        steps = doors(root).items()
        wrong = [f"step {step}: {said}" for step, door in steps for said in judge(door)]
        after = outside(root)
        if {name: after.get(name) for name in before} != before:
            wrong.append("something of the archive was changed")
        # Another data root is what environment.json may say.
        elif not what.startswith("environment") and (new := after.keys() - before.keys()):
            wrong.append(f"written outside of the data root: {sorted(new)}")
    return what, wrong


def outside(root: Path) -> dict[str, bytes]:
    """All that lies beside the data root, two folders up too, with its bytes."""
    from tests.scripts.step_archive import tree

    below = tree(root.parent.parent)
    return {name: data for name, data in below.items() if not name.startswith("a/archive/data/")}


def judge(door: Callable[[], int]) -> Iterator[str]:
    """What must not be of a door's call."""
    said = io.StringIO()
    signal.signal(signal.SIGALRM, _hung)
    signal.alarm(LIMIT_S)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = door()
    except TimeoutError:
        yield f"still at it after {LIMIT_S} s"
        return
    except BaseException as error:  # whatever gets through a door is the finding
        yield f"raised {type(error).__name__}: {error}"
        return
    finally:
        signal.alarm(0)
    if code not in (0, 1, 2):
        yield f"exit code {code}"
    for line in said.getvalue().splitlines():
        if MISTAKE.search(line):
            yield line


def _hung(*_: object) -> None:
    raise TimeoutError


def main() -> int:
    """Fuzz for so long, print what was found, write the result; 1 where anything was."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz_preprocess", description=__doc__
    )
    options.add_argument("--minutes", type=float, default=5.0)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", type=int, help="this round alone")
    asked = options.parse_args()
    found: list[dict[str, object]] = []
    kinds: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-base-") as folder:
        prepared(Path(folder) / "archive")
        until, number = time.monotonic() + 60 * asked.minutes, asked.only or 0
        while time.monotonic() < until:
            what, wrong = fuzz_round(Path(folder) / "archive", number, asked.seed)
            kinds[what.split()[0]] += 1
            for line in wrong:
                print(f"round {number}, {what}: {line}", flush=True)
                found.append({"round": number, "what": what, "wrong": line})
            if asked.only is not None:
                break
            number += 1
    print(f"{sum(kinds.values())} rounds ({dict(sorted(kinds.items()))}), {len(found)} findings")
    if asked.only is None:
        from sensor2sensor.core import files

        result = {"seed": asked.seed, "rounds": dict(sorted(kinds.items())), "found": found}
        files.write_json(RESULT, result)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
