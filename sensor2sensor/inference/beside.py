"""What lies beside a prediction: its sidecar, pictures, the map of trust."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from sensor2sensor.core import files
from sensor2sensor.core.cli import say
from sensor2sensor.inference import as_dataset
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.preview import write_preview
from sensor2sensor.inference.quicklook import write_quicklook
from sensor2sensor.inference.scenes.scene import Scene
from sensor2sensor.inference.stac import pictured
from sensor2sensor.inference.trust import WrittenTrust, known_trust, trust_path, write_trust


def companions(out: Path, args: argparse.Namespace) -> Iterator[Path]:
    """What is written beside a prediction."""
    yield out.with_suffix(".json")
    if args.quicklook:
        yield out.with_suffix(".png")
    if args.preview:
        yield out.with_suffix(".html")
    if args.trust:
        yield trust_path(out)
    if args.as_dataset:
        yield as_dataset.mask_path(out.parents[1], out.stem)


def remove(out: Path) -> None:
    """Take away the pictures and the map of a prediction that is made anew: they show another."""
    trust = known_trust(out)
    for name in [*pictured(out), *([trust.cog.path.name] if trust else [])]:
        files.remove(out.with_name(name))


def write_beside(
    out: Path, scene: Scene, method: Method, args: argparse.Namespace
) -> tuple[list[Path], WrittenTrust | None]:
    """Write what is asked for; pictures and map, these and those that are there already."""
    for ending in (".json", ".png", ".html"):
        files.sweep_of(out.with_suffix(ending))
    quicklook, page = (out.with_suffix(ending) for ending in (".png", ".html"))
    # Of the same prediction, or of one that is no more; what else lies there is not ours.
    earlier = [path for path in (quicklook, page) if path.name in pictured(out)]
    trust = known_trust(out)
    if args.trust:
        trust = trust or write_trust(out, scene, method.form)
        say(trust.told)
    made = []
    if args.quicklook:
        made.append(quicklook)
        write_quicklook(quicklook, out, method.form)
    if args.preview:
        made.append(page)
        write_preview(page, scene, out, method)
    shown = [*made, *(path for path in earlier if path not in made and path.exists())]
    return shown, trust
