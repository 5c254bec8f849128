"""Intervals and their coverage in lines for people: terminal, model card and pages say the same."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sensor2sensor.predictors.intervals import SPREAD, Intervals, members_of, percent

_TOLD = (
    "experiment",
    "run",
    "step",
    "checkpoint_sha256",
    "applied",
)  # in other words
LAST = "last"  # the step that is taken where none is asked for


def quantile_lines(made: Intervals) -> list[str]:
    """The quantiles of a model, and what they promise."""
    unit = "times the spread" if made.score == SPREAD else ""
    each = ", ".join(f"{one.name} ± {one.q:.4g} {unit or one.unit}" for one in made.bands)
    edge = f"; {made.edge_px} px at the edges of tiles left out" if made.edge_px else ""
    return [f"{percent(made.level)} intervals ({made.called}{edge}): {each}", made.promise]


def coverage_lines(section: Mapping[str, Any]) -> list[str]:
    """What section ``intervals`` of an evaluation says."""
    blocks, level = section["test_blocks"], percent(section["level"])
    lines = [f"{level} intervals ({section['called']}) on {blocks} test blocks, by band:"]
    for name, one in section["bands"].items():
        over = "" if one["std"] is None else f", std over blocks {100 * one['std']:.1f} %"
        ends = f"{100 * one['lowest']:.1f} to {100 * one['highest']:.1f} %"
        lines.append(
            f"  {name}: {100 * one['coverage']:.1f} % within (blocks {ends}{over}), mean width"
            f" {one['width']:.4g} {one['unit']}"
        )
    if out := section.get("left_out_blocks"):
        lines.append(f"  left out: {out} more blocks, on whose ground they were calibrated")
    lines.append(f"intervals are {section['promise']}")
    return [*lines, *(f"shifted domain, so not even that: {one}" for one in section["shift"])]


def calibrate_command(asked: argparse.Namespace) -> str:
    """The command that calibrates what a prediction was asked of, with the same options.

    Args:
        asked: What the command line of the prediction says.
    """
    words = ["python", "-m", "sensor2sensor", "calibrate", "--exp", *asked.exp]
    if stamps := [stamp for stamp in asked.timestamp if stamp]:
        words += ["--timestamp", *stamps]
    words += [word for text in asked.set for word in ("--set", text)]
    named = {
        "step": None if asked.step == LAST else asked.step,
        "samples": None if asked.samples == 1 else asked.samples,
        "batch": asked.batch,
        "environment": asked.environment,
    }
    words += [w for key, value in named.items() if value for w in (f"--{key}", str(value))]
    return shlex.join(words)


def other_mode(provenance: Mapping[str, Any], kept: Sequence[Intervals]) -> str:
    """In what quantiles are of something else than a method, of those most like it.

    Args:
        provenance: Of the method.
        kept: The quantiles that there are, at least one.
    """
    members, draws = members_of(provenance)
    told = [", ".join(_differences(members, draws, one)) for one in kept]
    return min(told, key=len)


def _differences(
    members: Sequence[Mapping[str, Any]], draws: int, kept: Intervals
) -> Iterator[str]:
    now, then = ({_called(one): one for one in own} for own in (members, kept.members))
    if new := [name for name in now if name not in then]:
        yield f"without {' and '.join(new)}"
    if gone := [name for name in then if name not in now]:
        yield f"together with {' and '.join(gone)}"
    for name in (name for name in now if name in then):
        one, other = now[name], then[name]
        if one.get("step") != other.get("step"):
            yield f"{name} at step {other.get('step')}, not {one.get('step')}"
        elif one.get("checkpoint_sha256") != other.get("checkpoint_sha256"):
            yield f"{name} with other weights of that step"
        is_now, was = ({**own, **(own.get("applied") or {})} for own in (one, other))
        keys = [key for key in {**was, **is_now} if was.get(key) != is_now.get(key)]
        keys = [key for key in keys if key not in _TOLD]
        if keys:
            yield f"{name} with {_mode(was, keys)} in place of {_mode(is_now, keys)}"
    if draws != kept.draws:
        yield f"with --samples {kept.draws}, not {draws}"


def _called(member: Mapping[str, Any]) -> str:
    return f"{member.get('experiment')} ({member.get('run')})"


def _mode(member: Mapping[str, Any], keys: Sequence[str]) -> str:
    said = {key: member.get(key) for key in keys}
    return ", ".join(f"no {k}" if value is None else f"{k} {value}" for k, value in said.items())
