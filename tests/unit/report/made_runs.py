"""Folders of runs as a training leaves them, of made-up logs; no TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from sensor2sensor.core.runs import Run

STARTED = "2026-07-15T09:30:00.000Z"


def rows(steps=100, level=0.5):
    """A report every ten steps and a validation every twenty, the best of which is the fourth."""
    found = []
    for step in range(10, steps + 1, 10):
        values = {"total_gen_loss": 9 / step, "gen_l1": 1 / step, "learning_rate": 2e-4}
        found.append({"step": step, "kind": "train", "steps_per_s": 4.0, **values})
        if step % 20 == 0:
            ssim = level + 0.1 - abs(step - 80) / 1000
            look = {"output_spread": 0.9, "ssim": ssim, "gen_l1": 1.2 / step}
            found.append({"step": step, "kind": "val", **look})
    return found


def make_run(
    root: Path, experiment: str, timestamp="0715-0930", status="done", *, step=100, steps=100,
    level=0.5, sheets=(), settings=None, **said,
) -> Run:  # fmt: skip
    """Write one run; returns it."""
    run = Run(Path(root) / experiment, timestamp)
    run.logs_dir.mkdir(parents=True)
    run.ckpt_dir.mkdir(parents=True)
    (run.ckpt_dir / f"ckpt-{step}.index").write_bytes(b"x" * 1000)
    kept = {"batch_size": 8, "model_name": "edsr", "monitor": None, **(settings or {})}
    run.resolved.write_text(json.dumps(kept))
    content = {
        "exp": experiment, "timestamp": timestamp, "started": STARTED, "status": status,
        "step": step, "steps": steps, "restored_from": None, "git": {"commit": "ab" * 20},
        "versions": {"numpy": "2.4.6"}, "dataset": {"name": "alt6", "sha256": "cd" * 32}, **said,
    }  # fmt: skip
    run.run_json.write_text(json.dumps(content))
    log = "".join(f"{json.dumps(row)}\n" for row in rows(steps, level) if row["step"] <= step)
    (run.logs_dir / "metrics.jsonl").write_text(log)
    for shown in sheets:
        run.samples_dir.mkdir(parents=True, exist_ok=True)
        picture = Image.new("RGB", (80, 60), (shown % 256, 90, 160))
        picture.save(run.samples_dir / f"step-{shown:07d}.png")
    return run
