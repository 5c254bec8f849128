"""The five systems on real pixels, several seeds each, in one report.

    python -m benchmarks.systems --data FOLDER [--seeds 0 1 2] [--systems arisgan maps ...]

Makes the data sets of `make real`, `real-maps`, `real-aerial`, `real-clouds` (its real dates) and
`real-sisr` from the samples in FOLDER, trains the experiments of those jobs with every seed, half
of the blocks of val set aside for intervals where there are several, scores them, super-resolution
also by profile `trust` and on another data set, and writes the report. Killed and started again, it
goes on after the last training that was finished.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))
sys.path.insert(0, str(ROOT))

import clouds  # noqa: E402 - after the path above
import pictures  # noqa: E402
import real  # noqa: E402
import sisr  # noqa: E402
from benchmarks import seeds, trainings  # noqa: E402
from benchmarks.trainings import shipped  # noqa: E402
from main_job import RUNS, Job, run  # noqa: E402

CALIBRATION = {"share": 0.5, "level": 0.9}


@dataclass(frozen=True)
class System:
    """One of the five.

    Attributes:
        folder: What of the samples it reads, below ``--data``.
        prepare: Makes its data sets in a job's work folder.
        sets: Stages of the job that they take.
        models: Shipped experiments by the name they have in the report.
        scorings: Options of `evaluate.py`, beside the evaluation that ends a training.
        blocks: Whether val has blocks enough to set some aside.
    """

    folder: str
    prepare: Callable[[Job, Path], object]
    sets: int
    models: dict[str, str]
    scorings: tuple[tuple[str, str], ...] = ()
    blocks: bool = True


def main() -> int:
    """Train what is missing, score, write the report; returns the exit code."""
    args = arguments().parse_args()
    chosen = {name: SYSTEMS[name] for name in args.systems}
    for system in chosen.values():
        if not (args.data / system.folder).is_dir():
            print(f"no folder {args.data / system.folder}", file=sys.stderr)
            return 2
    total = 1 + sum(stages(system, len(args.seeds)) for system in chosen.values())
    job = Job(args.work.resolve(), stages=total)
    for system in chosen.values():
        # Each time: the scenes' data set needs roots of its own.
        job.write_environment(data_root="data", experiment_root="experiments", sample_freq=1000)
        system.prepare(job, args.data.resolve())
    # Seed by seed: a run that is cut short has whole seeds of every system.
    for seed in args.seeds:
        for name, system in chosen.items():
            for model in system.models:
                train(job, name, model, seed)
    job.announce("report")
    run(["-m", "sensor2sensor", "report", "--environment", str(job.environment)])
    job.finish()
    return 0


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the samples")
    parser.add_argument("--work", type=Path, default=RUNS / "systems")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    return parser


def stages(system: System, seeds: int) -> int:
    """Of the job that one system takes: data sets, trainings and scorings."""
    registrations = sum("registration" in shipped(source) for source in system.models.values())
    each = registrations + len(system.models) * (1 + len(system.scorings))
    return system.sets + seeds * each


def prepare_scenes(job: Job, data: Path) -> None:
    """The data set of `benchmarks.seeds`: one product at 60 m, degraded six times."""
    words = ["--data", str(data / SYSTEMS["arisgan"].folder), *seeds.DATASET]
    options = real.arguments().parse_args(words)
    real.prepare(job, options, options.tile, options.level)


def prepare_pictures(job: Job, data: Path, name: str) -> None:
    """The data set of `make real-maps` or `make real-aerial`."""
    kind = pictures.KINDS[name]
    words = ["--data", data / SYSTEMS[name].folder, *kind.options.split(), "--workers", 2]
    # A damaged picture is named and left out; the job goes on with the others.
    job.door(f"data set: {name}", f"preprocessing/{kind.step}.py", *words, accept=(0, 1))


def prepare_distorted(job: Job, data: Path) -> None:
    """The data set of `make real-sisr`, its twin of true targets, the registration's pairs."""
    sisr.prepare(job, data)
    sisr.prepare_pairs(job)
    sisr.prepare(job, data, distorted=False)


def train(job: Job, name: str, model: str, seed: int) -> None:
    """Train one model of a system with one seed, calibrate it and score it."""
    system = SYSTEMS[name]
    aside = CALIBRATION if system.blocks else None
    content = shipped(system.models[model], seed=seed, calibration=aside)
    content.pop("sample_tiles", None)  # of val, where some are set aside now
    if "registration" in content:
        learnt, run_name = shipped(sisr.REGISTRATION, seed=seed), f"{name}/registration/{seed}"
        trainings.train(job, run_name, learnt, folder_of(job, learnt), split="val")
        content["registration"] = {**content["registration"], "run": run_name}
    experiment = f"{name}/{model}/{seed}"
    marker = trainings.train(job, experiment, content, folder_of(job, content))
    words = ["--exp", experiment, "--timestamp", marker["timestamp"]]
    for options in system.scorings:
        title = f"evaluate.py: {experiment}, {' '.join(options)}"
        job.door(title, "evaluate.py", *words, *options)


def folder_of(job: Job, content: dict[str, object]) -> Path:
    """The data set of an experiment."""
    return job.work / "data" / str(content["dataset"]) / str(content["tilesize"])


SYSTEMS = {
    "arisgan": System(
        "s2_safe",
        prepare_scenes,
        3,
        {model: f"real/{model}_alt6" for model in seeds.MODELS},
        (("--profile", "trust"),),
    ),
    "maps": System(
        "maps_side_by_side",
        lambda job, data: prepare_pictures(job, data, "maps"),
        1,
        {"pix2pix": "real/pix2pix_maps"},
    ),
    "aerial": System(
        "aerial_buildings/inria_layout/train",
        lambda job, data: prepare_pictures(job, data, "aerial"),
        1,
        {"resnet_pix2pix": "real/resnet_aerial"},
    ),
    "clouds": System(
        "s2_multidate_120m",
        lambda job, data: clouds.prepare_dates(job, data / "s2_multidate_120m"),
        1,
        {"dsen2cr": "real/dsen2cr_multidate"},
        blocks=False,
    ),
    "sisr": System(
        "s2_chips",
        prepare_distorted,
        3,
        {"carn": sisr.PLAIN, "carn_registered": sisr.REGISTERED},
        (("--profile", "trust"), ("--profile", "torchsisr"), ("--dataset", "undistorted")),
    ),
}


if __name__ == "__main__":
    sys.exit(main())
