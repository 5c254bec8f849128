"""Calibrate a run's intervals on the blocks of val that its training set aside.

  python -m sensor2sensor calibrate --exp sis2/s3/l1loss
  python -m sensor2sensor calibrate --exp sis2/s3/l1loss --step best --test
  python -m sensor2sensor calibrate --exp maps/t7 --set inference.dropout=true --samples 8
  python -m sensor2sensor calibrate --exp sis2/s3/seed1 sis2/s3/seed2 --test

For experiments with the key "calibration", whose runs train.py and evaluate.py calibrate as they
are scored; this does it for another checkpoint, with draws of dropout, or for several runs whose
mean is predicted. The quantiles are kept beside the checkpoint; predict.py --intervals, with the
same options, writes lower and upper bands by them. They hold a share of the pixels of new,
exchangeable blocks of ground on average over blocks; nothing is promised for any single one.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from predict import Member, add_members, members_of, method_of
from sensor2sensor.core.cli import main_guard, parser, positive, say
from sensor2sensor.core.errors import ConfigError, InputError, ModelContractError
from sensor2sensor.dataset.ancestry import inherited, sources_of
from sensor2sensor.dataset.calibration import KEY, elsewhere_of, parts_of, tried_rows
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.inference.intervals import Ground, calibrated, covered, ground, home_of
from sensor2sensor.inference.method import Method
from sensor2sensor.predictors.interval_words import coverage_lines, quantile_lines
from sensor2sensor.predictors.intervals import Intervals, intervals_for, keep_intervals


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = add_members(parser(__doc__ or "", prog="calibrate.py"))
    made.add_argument("--batch", type=positive, metavar="N", help="tiles at once")
    made.add_argument("--test", action="store_true", help="tell how much of test they hold, too")
    return made


def section_of(
    member: Member, gan: Any, split: str, draws: int | None = None, elsewhere: Any = None
) -> dict[str, Any] | None:
    """Section ``intervals`` of an evaluation, after the run is calibrated where it was not yet.

    Args:
        member: Experiment, run and step of what is evaluated.
        gan: Its model; None of a baseline.
        split: What is scored; of another than test there is no such section.
        draws: Of dropout.
        elsewhere: Another data set that is scored, with ``folder``, ``contract`` and ``overlap``.

    Returns:
        None where the experiment sets no blocks aside, all that is scored lies on them, or there
        is nothing to calibrate with; why is said.
    """
    experiment, run, _ = member
    if split != "test" or experiment.config.calibration is None:
        return None
    if not experiment.normaliser.invertible:  # by a model's own default, which no file says
        say("calibration: no intervals, as normalisation 'l2' forgets physical values")
        return None
    if seen := inherited(experiment, sources_of(run)).seen:
        say(f"calibration: no intervals, as {seen}")
        return None
    there = ground_of(member, "test", elsewhere)
    if not there.rows:
        say("calibration: no coverage, as every block scored lies on ground that calibrates")
        return None
    try:
        method = method_of([member], draws or 1, None, gan)
        made = intervals_for(home_of(method, [member]), method.provenance)
        if made is None:
            made = calibrate([member], method)
        return covered(replace(method, intervals=made), there)
    except (ModelContractError, InputError) as error:
        # Values that are no numbers, a damaged file: the scores count what failed, and stay.
        say(f"calibration: no intervals: {error}")
        return None


def calibrate(members: list[Member], method: Method) -> Intervals:
    """Calibrate a method and keep its quantiles beside the first of its members.

    Raises:
        ConfigError: An experiment sets no blocks aside, or others than the first, or its weights
            come from a run that looked at them.
    """
    first, doubts = members[0], []
    for experiment, run, _ in members:
        if experiment.config.calibration is None:
            best = experiment.config.monitor is not None
            did = "chose its checkpoints" if best else "its validations looked at"
            what = f"{experiment.name} was trained on val as a whole, which {did}"
            raise ConfigError(what, where=KEY, hint='set it, as {"share": 0.5}, and train anew')
        if parts_of(experiment) != parts_of(first[0]):
            what = f"{experiment.name} and {first[0].name} set other blocks aside"
            raise ConfigError(what, where=KEY, hint="calibrate runs of one data set and one share")
        before = inherited(experiment, sources_of(run))
        if before.seen:
            hint = "train that one with the same key on the same data set, then this one anew"
            raise ConfigError(f"{experiment.name}: {before.seen}", where=KEY, hint=hint)
        doubts += [before.unknown] if before.unknown else []
    level = first[0].config.calibration.level
    made = calibrated(method, ground_of(first, "val"), level).doubted("; ".join(doubts))
    keep_intervals(home_of(method, members), made)
    return made


def ground_of(member: Member, split: str, elsewhere: Any = None) -> Ground:
    """The blocks of a split that an experiment tries intervals on, of val those set aside.

    Of another data set those alone that show nothing of the ground calibrated on, maybe none.
    """
    experiment, _, _ = member
    verify_dataset(elsewhere.folder if elsewhere else experiment.dataset_dir, split=split)
    if elsewhere is None:
        place = (experiment.dataset_dir, experiment.contract)
        return ground(*place, tried_rows(experiment, split))
    place = (elsewhere.folder, elsewhere.contract)
    rows = tried_rows(experiment, split, elsewhere.folder)
    return ground(*place, *elsewhere_of(rows, elsewhere.overlap.aside))


def run(args: argparse.Namespace) -> int:
    """Calibrate what the command line names, and say what came of it."""
    members = members_of(args)
    method = method_of(members, args.samples, args.batch)
    made = calibrate(members, method)
    lines = quantile_lines(made)
    if args.test:
        held = replace(method, intervals=made)
        lines += coverage_lines(covered(held, ground_of(members[0], "test")))
    for line in lines:
        say(line)
    say(f"kept in {home_of(method, members)}")
    return 0


def main(words: list[str] | None = None) -> int:
    """The door of ``calibrate``; returns the exit code."""
    return main_guard(run, arguments(), words)


if __name__ == "__main__":
    sys.exit(main())
