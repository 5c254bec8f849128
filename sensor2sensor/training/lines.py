"""The lines a run prints: what it will need on disk, how far it is, what a look has found."""

from __future__ import annotations

from collections.abc import Mapping

from sensor2sensor.core.progress import duration

GIB = 2**30
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
    line = f"checkpoints: {saves} of {_size(bytes_each)}, {f'{most} at a time, ' if fewer else ''}"
    line += f"{_size(need)} in all, {_size(free_bytes)} free"
    if need > free_bytes:
        way = "lower keep_last" if fewer else "raise ckpt_freq in environment.json"
        line += f"; THIS IS NOT ENOUGH: {way} or free space"
    return line


def _size(count: float) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / 2**20:.1f} MiB"


def report_line(
    step: int,
    steps: int,
    losses: Mapping[str, float],
    *,
    steps_per_s: float | None,
    batch_size: int,
) -> str:
    """One report: step, losses, images a second, time left.

    The totals come first, then every term as it is logged: unweighted.

    Args:
        step: Steps done.
        steps: Steps in total.
        losses: Mean of each logged value since the last report.
        steps_per_s: Speed; None before there is one.
        batch_size: Images in a step.
    """
    order = [n for n in SHOWN if n in losses] + [n for n in losses if n not in SHOWN]
    parts = [f"step {step}/{steps}", *(f"{name} {losses[name]:.4g}" for name in order)]
    if steps_per_s is not None:
        parts.append(f"{steps_per_s * batch_size:.1f} img/s")
        parts.append(f"{duration((steps - step) / steps_per_s)} left")
    return "  ".join(parts)


def look_line(step: int, scores: Mapping[str, float]) -> str:
    """What a look at the validation tiles has found: the mean of each metric."""
    parts = [f"{name} {value:.4g}" for name, value in scores.items()]
    return "  ".join([f"step {step}, validation", *parts])


def end_line(step: int, steps: int, *, early: str | None, stopped: str | None) -> str | None:
    """What is said of a run that has ended before its last step; None of another.

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
    return None
