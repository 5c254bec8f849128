"""The pictures of step 30: each is made once, and kept while nothing it was made of has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.core import files, manifest
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.core.times import format_utc
from sensor2sensor.core.versions import __version__
from sensor2sensor.preprocess.quicklooks.render import STRETCH, render

if TYPE_CHECKING:
    from sensor2sensor.core.cli import StepReport
    from sensor2sensor.products.sentinel2 import S2Product

CONFIG = "_config.json"
# So much work at most is repeated after a crash.
_SAVE_EVERY = 25


@dataclass(frozen=True)
class Job:
    """One picture to make sure of.

    Attributes:
        scene: Its id in the inventory.
        label: How messages name it: by its path, for tiles of a bucket are all named `0`.
        product: The product's folder or zip.
        picture: The PNG.
        bands: One or three, as they are shown.
        resolution_m: The resolution they are read at.
        factor: Pixels of that grid per pixel of the picture.
        joined: Folders or zips of the other parts of the tile.
    """

    scene: int
    label: str
    product: Path
    picture: Path
    bands: tuple[str, ...]
    resolution_m: int
    factor: int
    joined: tuple[Path, ...] = ()


def foresee(jobs: Sequence[Job], folder: Path, workers: int, report: StepReport) -> set[int]:
    """Count what a run would make and what is there already; the scenes it would show."""
    shown = set()
    look = partial(_is_there, before=noted(folder / CONFIG))
    found = parallel_map(look, jobs, workers=workers, label=_label, desc="pictures")
    for job, result in found:
        if isinstance(result, Failure):
            report.failed(job.label, result.reason)
        else:
            (report.skipped if result else report.done)(job.label)
            shown.add(job.scene)
    return shown


def make_all(
    jobs: Sequence[Job],
    folder: Path,
    options: Mapping[str, Any],
    workers: int,
    report: StepReport,
    *,
    keep: Collection[int] = (),
    note: Path | None = None,
) -> dict[int, dict[str, Any]]:
    """Facts of each picture that is there in the end, by scene; noted in the folder as well.

    What is noted of the scenes in ``keep``, which have no job, stays noted. A ``note`` of its own
    is a part's, beside others that write to the folder.
    """
    own = note or folder / CONFIG
    before = noted(folder / CONFIG) | noted(own)
    made: dict[int, dict[str, Any]] = {}
    work = partial(_make, before=before)
    results = parallel_map(work, jobs, workers=workers, label=_label, desc="pictures")
    for count, (job, result) in enumerate(results, start=1):
        if isinstance(result, Failure):
            report.failed(job.label, result.reason)
            continue
        made[job.scene], is_new = result
        (report.done if is_new else report.skipped)(job.label)
        if is_new and count % _SAVE_EVERY == 0 and count < len(jobs):
            write_note(own, options, {**before, **made})
    kept = {scene: facts for scene, facts in before.items() if scene in keep}
    write_note(own, options, {**kept, **made})
    return made


def joined(
    jobs: Sequence[Job],
    folder: Path,
    options: Mapping[str, Any],
    notes: Sequence[Path],
    *,
    keep: Collection[int] = (),
) -> dict[int, dict[str, Any]]:
    """As :func:`make_all`, of pictures that parts have made and noted.

    Raises:
        InputError: One of them is not there.
    """
    parts = {scene: facts for note in notes for scene, facts in noted(note).items()}
    gaps = [job.label for job in jobs if not _is_whole(job, parts.get(job.scene))]
    if gaps:
        what = f"pictures are not as their parts left them: {', '.join(gaps[:10])}"
        raise InputError(what, where=folder, hint="repeat these parts, or leave out --merge")
    made = {job.scene: parts[job.scene] for job in jobs}
    kept = {scene: facts for scene, facts in noted(folder / CONFIG).items() if scene in keep}
    write_note(folder / CONFIG, options, {**kept, **made})
    return made


def _is_whole(job: Job, facts: Mapping[str, Any] | None) -> bool:
    """Whether a picture is there as it was noted: one someone edited, or of a full disk, is not."""
    if facts is None or not job.picture.is_file():
        return False
    return bool(files.sha256(job.picture) == facts["sha256"])


def _label(job: Job) -> str:
    return job.label


def write_note(
    path: Path, options: Mapping[str, Any], made: Mapping[int, Mapping[str, Any]]
) -> None:
    """Note what is known of pictures."""
    scenes = {str(scene): made[scene] for scene in sorted(made)}
    head = {"step": "30", "version": __version__, "options": dict(options)}
    files.write_json(path, {**head, "stretch": STRETCH, "scenes": scenes})


def noted(path: Path) -> dict[int, dict[str, Any]]:
    """What the last run noted of each picture; nothing when its notes are of another version."""
    if not path.is_file():
        return {}
    content = files.read_json(path)
    if not isinstance(content, dict) or content.get("step") != "30":
        return {}
    # Another version may draw equal pixels otherwise.
    if content["version"] != __version__:
        return {}
    return {int(scene): facts for scene, facts in content["scenes"].items()}


def _is_there(job: Job, *, before: Mapping[int, Mapping[str, Any]]) -> bool:
    return _held(job, before)[2] is not None


def _make(job: Job, *, before: Mapping[int, Mapping[str, Any]]) -> tuple[dict[str, Any], bool]:
    """Make one picture unless the one that is there still holds; its facts, and whether made."""
    product, made_of, held = _held(job, before)
    if held is not None:
        return held, False
    data, limits = render(product, job.bands, job.resolution_m, job.factor)
    files.write_bytes(job.picture, data)
    facts = {
        # That of column `s2`: the name a selection checks its scenes by.
        "product": product.parts[0].name,
        "sensing_start": format_utc(product.sensing_start),
        "cloud_fraction": product.cloud_fraction,
        "bands": list(job.bands),
        "stretch_reflectance": limits,
        "outline_m": _outline_m(product, job.resolution_m),
        "made_of": made_of,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return facts, True


def _outline_m(product: S2Product, resolution_m: int) -> list[list[list[float]]]:
    """Rings of the footprint in metres of the scene's grid, to 10 m."""
    from sensor2sensor.geo.footprints import polygons_of, project

    shape = project(product.footprint, f"EPSG:{product.grids[resolution_m].epsg}").simplify(50.0)
    rings = (polygon.exterior.coords for polygon in polygons_of(shape))
    return [[[round(x, -1), round(y, -1)] for x, y, *_ in ring] for ring in rings]


def _held(
    job: Job, before: Mapping[int, Mapping[str, Any]]
) -> tuple[S2Product, str, dict[str, Any] | None]:
    """The product, what a picture would be made of, and the facts of the one that still holds."""
    from sensor2sensor.products.s2_parts import open_parts

    product = open_parts([job.product, *job.joined])
    seen = (product.name, job.bands, job.resolution_m, job.factor, STRETCH)
    made_of = manifest.fingerprint(
        [*seen, [mark for part in product.parts for mark in _inputs(part, job)]]
    )
    facts = before.get(job.scene)
    if facts is None or facts["made_of"] != made_of or not _is_whole(job, facts):
        return product, made_of, None
    return product, made_of, dict(facts)


def _inputs(product: S2Product, job: Job) -> list[dict[str, int]]:
    """The cheap identity of the files a picture is made of."""
    if product.path.is_file():
        return [manifest.file_fingerprint(product.path)]
    # The mask that tells cloud from ground sets the stretch: it is read at the coarsest grid.
    mask = product.members_for((), max(product.grids))
    members = [*(product.band_member(band, job.resolution_m) for band in job.bands), *mask]
    paths = [Path(product.files.gdal_path(member)) for member in members]
    return [manifest.file_fingerprint(path) for path in paths]
