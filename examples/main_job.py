"""What the demo and the real run share: calling the doors, one stage after the other."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / "runs"  # ignored by git; no module is called so


class Job:
    """Runs the stages of one job in a work folder and says how far it is.

    Args:
        work: Folder for everything the job makes.
        stages: How many stages there are, for the count that is printed.
    """

    def __init__(self, work: Path, stages: int) -> None:
        self.work = work
        self.stages = stages
        self.stage = 0
        self.start = time.monotonic()
        work.mkdir(parents=True, exist_ok=True)
        sys.path.insert(0, str(ROOT))
        from sensor2sensor.core.streams import forgive

        forgive()

    @property
    def environment(self) -> Path:
        """The environment.json of this job."""
        return self.work / "environment.json"

    def write_environment(self, **keys: Any) -> None:
        """Write the environment.json that every door of this job is given."""
        content = {"environment": self.work.name, **keys}
        self.environment.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    def announce(self, title: str) -> None:
        """Print the next stage's number, title and the time so far."""
        self.stage += 1
        minutes, seconds = divmod(int(time.monotonic() - self.start), 60)
        print(f"\n[{self.stage}/{self.stages}] {minutes}:{seconds:02d}  {title}", flush=True)

    def door(self, title: str, door: str, *options: object, accept: Sequence[int] = (0,)) -> None:
        """Run a door of the repository with this job's environment; stop the job if it fails."""
        self.announce(title)
        words = [str(option) for option in options]
        shown = " ".join(["python", door, *words])
        print(f"      $ {shown} --environment {self.environment.name}", flush=True)
        run([str(ROOT / door), *words, "--environment", str(self.environment)], accept=accept)

    def experiment(
        self, name: str, *, replace: dict[str, Any] | None = None, under: str | None = None
    ) -> str:
        """Copy a shipped experiment into this job; returns the name it has there.

        Args:
            name: Its folder below examples/experiments.
            replace: Keys with another value; without any, comments and order are kept.
            under: Its name in this job, if another.
        """
        source = ROOT / "examples" / "experiments" / name / "experiment.json"
        target = self.work / "experiments" / (under or name) / "experiment.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        if replace is None:
            shutil.copyfile(source, target)
        else:
            from sensor2sensor.config.compose import compose
            from sensor2sensor.config.jsonc import load_jsonc

            content = {**compose(source, load_jsonc).data, **replace}
            target.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        return under or name

    def notebook(self) -> Path:
        """Execute the summary notebook on this job's results; returns the HTML file."""
        self.announce("summary_eval.ipynb: executed and exported")
        folder = self.work / "report"
        folder.mkdir(exist_ok=True)
        command = ["-m", "nbconvert", "--to", "html", "--execute", "--output-dir", str(folder)]
        # Sockets of this machine: over TCP the kernel warns, rightly, that anyone may listen.
        command += ["--KernelManager.transport=ipc", "--log-level", "ERROR"]
        with tempfile.TemporaryDirectory() as sockets:  # their paths must be short
            variables = {
                "SENSOR2SENSOR_ENVIRONMENT": str(self.environment),
                "JUPYTER_RUNTIME_DIR": sockets,
            }
            # By its name alone, from ROOT: nbconvert takes brackets in a path for a pattern.
            run([*command, "summary_eval.ipynb"], variables)
        return folder / "summary_eval.html"

    def finish(self) -> None:
        """Print the time the whole job took."""
        minutes, seconds = divmod(int(time.monotonic() - self.start), 60)
        print(f"\nDone in {minutes}:{seconds:02d}.", flush=True)


def run(
    command: Sequence[str],
    variables: Mapping[str, str] | None = None,
    *,
    accept: Sequence[int] = (0,),
) -> None:
    """Run Python with ``command`` from the repository root; end with its exit code if it fails."""
    given = {**os.environ, "PYTHONUNBUFFERED": "1", **(variables or {})}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=given, check=False)
    if done.returncode not in accept:
        whole = shlex.join(["python", *command])
        print(f"stopped: exit code {done.returncode} of {whole}", file=sys.stderr, flush=True)
        raise SystemExit(done.returncode)


def latest_evaluation(work: Path, experiment: str) -> dict[str, Any]:
    """The JSON summary of the last evaluation of an experiment."""
    stem = escape(experiment.replace("/", "__"))
    found = sorted(
        (work / "experiments" / "_evaluation").glob(f"{stem}_*.json"),
        key=lambda path: path.stat().st_mtime,
    )
    if not found:
        raise SystemExit(f"no evaluation of {experiment} in {work}")
    content: dict[str, Any] = json.loads(found[-1].read_text(encoding="utf-8"))
    return content
