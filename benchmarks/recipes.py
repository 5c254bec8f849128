"""Time to beat bicubic: recipes chosen on val, each scored once on test, then on other ground.

    python -m benchmarks.recipes val --data FOLDER RECIPE... [--seeds 0 1 2 3 4]
    python -m benchmarks.recipes test --data FOLDER RECIPE... [--again REASON]
    python -m benchmarks.recipes chips --chips FOLDER RECIPE... [--places wroclaw parana demmin]
    python -m benchmarks.recipes render

RECIPE is a folder below examples/experiments/real, or the path of one anywhere. ``val`` trains on
the 60 m data set of docs/real_run.md and scores val alone; every recipe tried is kept in
benchmarks/results/recipes_tried.json. ``test`` scores the same trainings on test, and refuses what
was scored before. ``chips`` trains a recipe anew on the Level-2A chips of two places and scores the
third, for each place. A recipe with an adversary is trained once more with that weight 0, its twin.
``test`` and ``chips`` write benchmarks/results/leaderboard.json and the tables of
docs/leaderboard.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))
sys.path.insert(0, str(ROOT))

import real  # noqa: E402 - after the path above
from benchmarks import chips, recipes_table, seeds  # noqa: E402
from benchmarks.recipes_file import Recipe, differences, read_recipe, share_of  # noqa: E402
from benchmarks.seeds_table import insert, json_text  # noqa: E402
from benchmarks.trainings import evaluation, evaluation_stem, merge, train, version  # noqa: E402
from main_job import RUNS, Job  # noqa: E402
from sensor2sensor.core import files  # noqa: E402

TRIED, LEADERBOARD = "recipes_tried.json", "leaderboard.json"
PAGE = ROOT / "docs" / "leaderboard.md"
Marker = dict[str, Any]
Runs = dict[tuple[str, int], Marker]  # by "recipe" or "twin", and seed


def main() -> int:
    """Do what was asked; returns the exit code."""
    args = arguments().parse_args()
    recipes = [read_recipe(name) for name in getattr(args, "recipes", [])]
    if args.verb == "test":
        refuse_scored(args.results / LEADERBOARD, recipes, args.again)
    if args.verb != "render":
        {"val": on_val, "test": on_test, "chips": on_chips}[args.verb](args, recipes)
    tried = read_list(args.results / TRIED)
    print(f"recipes tried on val so far: {len(tried)}")
    if args.verb != "val":
        text = recipes_table.render(read_list(args.results / LEADERBOARD), tried)
        page = args.page.read_text(encoding="utf-8")
        files.write_text(
            args.page, insert(page, text, begin=recipes_table.BEGIN, end=recipes_table.END)
        )
        print(f"wrote the tables of {args.page.name}")
    return 0


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("val", "test", "chips", "render"):
        verb = verbs.add_parser(name)
        verb.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
        verb.add_argument("--page", type=Path, default=PAGE)
        if name == "render":
            continue
        verb.add_argument("recipes", nargs="+", metavar="RECIPE")
        verb.add_argument("--work", type=Path, default=RUNS / "recipes")
        verb.add_argument("--seeds", type=int, nargs="+", default=list(seeds.SEEDS))
        if name == "chips":
            verb.add_argument("--chips", type=Path, required=True, help="folder with l2a_*")
            verb.add_argument("--places", nargs="+", default=chips.PLACES, choices=chips.PLACES)
        else:
            verb.add_argument("--data", type=Path, required=True, help="with the 60 m product")
        if name == "test":
            verb.add_argument("--again", metavar="REASON", help="score again, and say why")
    return parser


def refuse_scored(path: Path, recipes: Sequence[Recipe], again: str | None) -> None:
    """End with exit code 2 where a recipe was scored on test before and no reason is given."""
    rows = [row for row in read_list(path) if row["split"] == "test" and row["places"] is None]
    for recipe in recipes:
        before = [row for row in rows if row["recipe_sha256"] == recipe.sha256]
        if before and again is None:
            print(
                f"{recipe.name} was scored on test at {before[-1]['date']}: a second look makes it"
                " a choice; --again REASON records that it was looked at again",
                file=sys.stderr,
            )
            raise SystemExit(2)


def on_val(args: argparse.Namespace, recipes: Sequence[Recipe]) -> None:
    """Train what is missing, score val, keep every recipe in the list of those tried."""
    job, dataset = prepare_scene(args, recipes)
    for recipe in recipes:
        runs = train_all(job, recipe, args.seeds, dataset, recipe.name)
        entry = entry_of(args, recipe, runs, read_all(job, recipe.name, runs, "val"), dataset)
        entry |= {"split": "val", "settings": differences(recipe)}
        entry["results"] = recipes_table.summary(entry)
        del entry["tiles"]  # the choice is told by the gains
        keep(args.results / TRIED, entry, same=("recipe_sha256", "dataset_sha256"))
        print(recipes_table.words(entry))
    job.finish()


def on_test(args: argparse.Namespace, recipes: Sequence[Recipe]) -> None:
    """Score the trainings of ``val`` on test, once per recipe."""
    job, dataset = prepare_scene(args, recipes)
    for recipe in recipes:
        runs = train_all(job, recipe, args.seeds, dataset, recipe.name)
        score_all(job, recipe.name, runs)
        entry = entry_of(args, recipe, runs, read_all(job, recipe.name, runs, "test"), dataset)
        entry |= {"split": "test", "again": args.again}
        told = recipes_table.words({**entry, "results": recipes_table.summary(entry)})
        keep(args.results / LEADERBOARD, entry, same=())
        print(told)
    job.finish()


def on_chips(args: argparse.Namespace, recipes: Sequence[Recipe]) -> None:
    """Train every recipe on the chips of all places but one and score that one."""
    job = Job(args.work.resolve(), stages=len(recipes) * len(args.seeds) * len(args.places) * 4)
    steps = max(recipe.content["steps"] for recipe in recipes)
    job.write_environment(
        data_root="data", experiment_root="experiments", sample_freq=100, ckpt_freq=steps
    )
    for place in args.places:
        name = chips.make(args.chips, job.work / "data", place)
        dataset = job.work / "data" / name / str(chips.TILE_PX)
        for recipe in recipes:
            moved, folder = recipe.on(name), f"{recipe.name}_{place}"
            runs = train_all(job, moved, args.seeds, dataset, folder)
            score_all(job, folder, runs)
            entry = entry_of(args, recipe, runs, read_all(job, folder, runs, "test"), dataset)
            entry |= {"split": "test", "again": None, "places": place}
            keep(args.results / LEADERBOARD, entry, same=())
    job.finish()


def prepare_scene(args: argparse.Namespace, recipes: Sequence[Recipe]) -> tuple[Job, Path]:
    """The data set of docs/real_run.md, made once; the job and the data set's folder."""
    job = Job(args.work.resolve(), stages=3 + len(recipes) * len(args.seeds) * 4)
    dataset = seeds.dataset_dir(job.work)
    if not (dataset / "dataset.json").is_file():
        words = ["--data", str(args.data), "--work", str(args.work), *seeds.DATASET]
        options = real.arguments().parse_args(words)
        real.prepare(job, options, options.tile, options.level)
    return job, dataset


def train_all(
    job: Job, recipe: Recipe, seed_list: Sequence[int], dataset: Path, folder: str
) -> Runs:
    """Train a recipe, and its twin where it has one, with every seed; scored on val."""
    runs: Runs = {}
    for seed in seed_list:
        for role, content in recipe.trainings():
            cost, wanted = 0.0, {**content, "seed": seed}
            if recipe.pretraining is not None:
                name = f"recipes/{folder}/pretraining/{seed}"
                before = train(job, name, {**recipe.pretraining, "seed": seed}, dataset, "val")
                wanted["pretrained_generator"] = f"{name}/{before['timestamp']}"
                cost = before["cpu_minutes"]
            marker = train(job, f"recipes/{folder}/{role}/{seed}", wanted, dataset, "val")
            total = round(cost + marker["cpu_minutes"], 2)
            runs[role, seed] = {**marker, "cpu_minutes": total}
    return runs


def score_all(job: Job, folder: str, runs: Runs) -> None:
    """Score every training on test that was not."""
    for (role, seed), marker in runs.items():
        name = f"recipes/{folder}/{role}/{seed}"
        stem = evaluation_stem(job.work, name, marker["timestamp"])
        if not stem.with_name(f"{stem.name}.json").is_file():
            words = ["--exp", name, "--timestamp", marker["timestamp"]]
            job.door(f"evaluate.py: {name} on test", "evaluate.py", *words)


def read_all(job: Job, folder: str, runs: Runs, split: str) -> dict[str, Any]:
    """The metrics' definitions, the tiles' values and the adversarial share of all trainings."""
    read, share = {}, {}
    for (role, seed), marker in runs.items():
        name = f"recipes/{folder}/{role}/{seed}"
        facts, read[role, seed] = evaluation(job.work, name, marker["timestamp"], split)
        if role == "recipe":
            log = job.work / "experiments" / name / "logs" / marker["timestamp"] / "metrics.jsonl"
            share[str(seed)] = share_of(log, marker["experiment"].get("generator_warmup", 0))
    metrics = {name: facts["metrics"][name] for name in recipes_table.METRICS}
    return {"metrics": metrics, "tiles": recipes_table.only(merge(read), metrics), "share": share}


def entry_of(
    args: argparse.Namespace,
    recipe: Recipe,
    runs: Runs,
    found: Mapping[str, Any],
    dataset: Path,
) -> dict[str, Any]:
    """What is kept of one recipe, whatever the split."""
    from sensor2sensor.dataset.ledger import read_split

    places = {row.name: (row.block.split("+")[0], row.seen_by) for row in read_split(dataset)}
    names = found["tiles"]["names"]
    tiles = {
        **found["tiles"],
        "blocks": {name: places[name][0] for name in names},
        "scenes": {name: places[name][1] for name in names},
    }
    return {
        "recipe": recipe.name,
        "recipe_sha256": recipe.sha256,
        "dataset_sha256": files.sha256(dataset / "dataset.json"),
        "date": datetime.now(UTC).date().isoformat(),
        "code": sorted({version(marker["git"]) for marker in runs.values()}),
        "scored_with": head(),
        "command": command(args, recipe),
        "seeds": list(args.seeds),
        "places": None,
        "steps": recipe.content["steps"],
        "cpu_minutes": {f"{role} {seed}": m["cpu_minutes"] for (role, seed), m in runs.items()},
        "adversarial_share": found["share"],
        "metrics": found["metrics"],
        "tiles": tiles,
    }


def command(args: argparse.Namespace, recipe: Recipe) -> str:
    """What to type for this row; folders of one machine are left out."""
    source = "--chips FOLDER" if args.verb == "chips" else "--data FOLDER"
    return f"python -m benchmarks.recipes {args.verb} {source} {recipe.name}"


def head() -> str:
    """The commit that is checked out."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def read_list(path: Path) -> list[dict[str, Any]]:
    """The entries of a file of results; none where there is no file yet."""
    return list(files.read_json(path)["entries"]) if path.is_file() else []


def keep(path: Path, entry: Mapping[str, Any], same: Sequence[str]) -> None:
    """Add an entry; one that is equal in the keys ``same`` is replaced."""
    entries = read_list(path)
    if same:
        entries = [one for one in entries if any(one[key] != entry[key] for key in same)]
    plain = json.loads(json.dumps([*entries, entry], allow_nan=False))
    lines = ",\n".join(json_text(one, "  ") for one in plain)
    files.write_text(path, f'{{"entries": [\n  {lines}\n]}}\n')


if __name__ == "__main__":
    sys.exit(main())
