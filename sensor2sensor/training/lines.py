"""The lines a run prints: what it will need on disk, how far it is, what a look has found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sensor2sensor.core.memory import size_in_words
from sensor2sensor.core.progress import duration
from sensor2sensor.training.rows import STEPS_PER_S

NONE: Mapping[str, float] = MappingProxyType({})
GAUGED: Mapping[str, Callable[[float], str]] = MappingProxyType({  # in this order
    "img_per_s": "{:.1f} img/s".format,
    "step_ms": "{:.0f} ms/step".format,
    "data_wait": "{:.0%} wait".format,
    "memory_mib": lambda mib: size_in_words(mib * 2**20),
    "gpu_peak_mib": lambda mib: f"GPU {size_in_words(mib * 2**20)}",
})  # fmt: skip
SHOWN = ("total_gen_loss", "total_disc_loss")


def disk_line(bytes_each: int, saves: int, free_bytes: int, most: int | None = None) -> str:
    """What the checkpoints of a run will take.

    Args:
        bytes_each: Size of the state: weights, moments, averages.
        saves: Checkpoints that are still to be written.
        free_bytes: Free space where they go.
        most: How many are there at a time; None: all are kept.
    """
    fewer = most is not None and most < saves
    need = bytes_each * (most if most is not None and fewer else saves)
    together = f"{most} at a time, " if fewer else ""
    line = f"checkpoints: {saves} of {size_in_words(bytes_each)}, {together}"
    line += f"{size_in_words(need)} in all, {size_in_words(free_bytes)} free"
    if need > free_bytes:
        way = "lower keep_last" if fewer else "raise ckpt_freq in environment.json"
        line += f"; THIS IS NOT ENOUGH: {way} or free space"
    return line


def report_line(
    step: int,
    steps: int,
    losses: Mapping[str, float],
    facts: Mapping[str, float] = NONE,
) -> str:
    """One report: step, losses, how fast it goes and on how much memory, time left.

    The totals come first, then every term as it is logged: unweighted.

    Args:
        step: Steps done.
        steps: Steps in total.
        losses: Mean of each logged value since the last report.
        facts: What the log has of these steps, by the names of :data:`~.rows.GAUGES`.
    """
    order = [n for n in SHOWN if n in losses] + [n for n in losses if n not in SHOWN]
    parts = [f"step {step}/{steps}", *(f"{name} {losses[name]:.4g}" for name in order)]
    parts += [form(facts[name]) for name, form in GAUGED.items() if name in facts]
    if STEPS_PER_S in facts:
        parts.append(f"{duration((steps - step) / facts[STEPS_PER_S])} left")
    return "  ".join(parts)


def look_line(step: int, scores: Mapping[str, float]) -> str:
    """What a look at the validation tiles has found: the mean of each metric."""
    parts = [f"{name} {value:.4g}" for name, value in scores.items()]
    return "  ".join([f"step {step}, validation", *parts])


def end_line(step: int, steps: int, *, early: str | None, stopped: str | None) -> str | None:
    """What is said of a run that ends without an evaluation, or before its last step; else None.

    Args:
        step: Steps done.
        steps: Steps in total.
        early: Why no further step is worth it.
        stopped: What has stopped it.
    """
    if early is not None:
        way = "raise monitor.patience and --resume to go on"
        return f"done after step {step} of {steps}: {early}; {way}"
    if stopped is not None and 0 < step < steps:
        return f"stopped after step {step} of {steps}, all is saved; --resume goes on from there"
    if stopped is not None and step:
        return f"stopped after the last of {steps} steps, all is saved; evaluate.py scores it"
    return None
