"""Show samples of an experiment exactly as its network gets them.

  python -m sensor2sensor show --exp sis2/s3/l1loss
  python -m sensor2sensor show --exp sis2/s3/l1loss --split val --count 8 --seed 3

Writes a sheet of pairs, input beside target, below them how often each band takes which value:
<experiment>/samples/show_<split>_seed<seed>.png. Pairs of train are drawn, augmented and normalised
as its first steps are; those of val are neither turned nor enlarged. Trains nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from experiment import Experiment
from models.loading import check_by_name, find_gan_class, find_modules, is_baseline
from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.experiment_file import located
from sensor2sensor.core.cli import add_set, main_guard, parser, positive
from sensor2sensor.core.notices import load_tensorflow
from sensor2sensor.training.readiness import check_data
from sensor2sensor.training.start import find_pretrained


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = parser(__doc__ or "", prog="show.py")
    add = made.add_argument
    add("--exp", required=True, help="experiment below experiment_root: a/b/c")
    # Not test: whoever looks at it chooses by it.
    add("--split", choices=("train", "val"), default="train", help="which pairs (train)")
    add("--count", type=positive, default=16, metavar="N", help="how many pairs (16)")
    add("--seed", type=int, metavar="N", help="of order and augmentation (the experiment's)")
    add_set(made, "a setting above those of experiment.json", "random_crop=true")
    return made


def run(args: argparse.Namespace) -> int:
    """Draw the sheet and say where it is."""
    environment = load_environment(args.environment)
    experiment = Experiment(args.exp, environment, options=args.set)
    with located(experiment.document):
        _, notices = check_data(experiment)
        find_modules(experiment.config.modules, environment.models_root)
        experiment = _as_its_model_sees_it(experiment)
        from sensor2sensor.training.show import draw

        path = draw(experiment, environment, split=args.split, count=args.count, seed=args.seed)
    for line in notices:
        print(line)
    print(f"wrote {path}")
    return 0


def _as_its_model_sees_it(experiment: Experiment) -> Experiment:
    """With the model's own defaults, bounds and, of a generator that is taken over, its map."""
    name, environment = experiment.config.model_name, experiment.environment
    load_tensorflow()
    if is_baseline(name, environment.models_root):
        return experiment
    check_by_name(name, environment.models_root)
    from sensor2sensor.training.normaliser import normaliser_for

    gan = find_gan_class(name, environment.models_root, print, experiment.config.modules)
    experiment = experiment.suited_to(gan, print)
    taken_over = find_pretrained(experiment, environment)
    return experiment.normalised_by(normaliser_for(gan, experiment, taken_over))


def main(words: list[str] | None = None) -> int:
    """The door of ``show``; returns the exit code."""
    return main_guard(run, arguments(), words)


if __name__ == "__main__":
    sys.exit(main())
