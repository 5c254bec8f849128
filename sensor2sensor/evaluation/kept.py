"""Scores of baselines, kept beside the evaluations: the next run on the same tiles computes none.

A file holds one baseline's scores of every tile of a split, under all that they follow from: data
set, split, filters, profile, version and code of the metrics, and every number that the baseline
predicts with. Where any of it is another, the scores are computed anew and the file is replaced. So
it is where the file is damaged; deleting it costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.config.trust import VARIANTS
from sensor2sensor.config.vocabulary import METRICS_VERSION, TORCHSISR
from sensor2sensor.core import files
from sensor2sensor.core.decoration import decoration
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.manifest import fingerprint
from sensor2sensor.evaluation.scoring import Scores

if TYPE_CHECKING:
    from sensor2sensor.predictors.protocol import Predictor

logger = logging.getLogger(__name__)

FOLDER = "_baselines"
SHORT = 16  # digits of a hash in the name of a file
Batch = tuple[Scores, list[str]]
Line = list[Any]  # name, state, values by column as text


class Kept:
    """What is known of each baseline's scores.

    Args:
        folder: Where the files lie; None keeps nothing, and knows nothing.
        of: Data set, split, filters, profile: what the scores of any baseline follow from.
    """

    def __init__(self, folder: Path | None, of: Mapping[str, Any]) -> None:
        self._folder, self._of = folder, dict(of)
        self._files: dict[str, tuple[Path, dict[str, Any]]] = {}
        self._known: dict[str, list[Line]] = {}
        self._new: dict[str, list[Line]] = {}
        self._place: Counter[str] = Counter()

    @classmethod
    def scores(cls, evaluations: Path, profile: str, of: Mapping[str, Any]) -> Kept:
        """Those of a profile; none of one that looks at predictions beside their scores.

        Args:
            evaluations: ``_evaluation``.
            profile: Metric conventions.
            of: What else the scores follow from.
        """
        from sensor2sensor.metrics.registry import own_metrics

        # What a user's own metric calls, in whatever file, may change unseen.
        if profile == TORCHSISR or profile in VARIANTS or own_metrics():
            return NOTHING
        return cls(evaluations / FOLDER, {**of, "profile": profile})

    def look(self, baselines: Mapping[str, Predictor], names: Sequence[str]) -> None:
        """Read what there is of some baselines, on the tiles of these names in their order."""
        if self._folder is None:
            return
        for name, predictor in baselines.items():
            scored = {**self._of, "baseline": name}
            # By what is scored and not by what with: files of earlier code would stay for ever.
            digest = fingerprint(scored).partition(":")[2][:SHORT]
            made = {"made": predictor.describe(), "tiles": fingerprint(list(names)), **_made_by()}
            path, key = self._folder / f"{name}_{digest}.json", {**scored, **made}
            self._files[name] = path, key
            found = self._read(path, key)
            if found is None:
                self._new[name] = []
            else:
                self._known[name] = found

    @property
    def lines(self) -> list[str]:
        """What to say of it."""
        names = ", ".join(self._known)
        return [f"scores of {names} as kept in {self._folder}"] if names else []

    @staticmethod
    def _read(path: Path, key: Mapping[str, Any]) -> list[Line] | None:
        if not path.is_file():
            return None
        again = f"{path}: the scores kept there are computed anew"
        try:
            document = files.read_json(path)
        except (InputError, OSError) as error:
            logger.warning("%s (%s)", again, error)
            return None
        if not isinstance(document, dict) or set(document) != {"key", "scores", "sha256"}:
            logger.warning("%s (it is no file of scores)", again)
            return None
        scores: list[Line] = document["scores"]
        try:
            digest = fingerprint([document["key"], scores])
        except ValueError:  # NaN and infinities, which we write as text, and no JSON has
            digest = None
        if document["sha256"] != digest:
            logger.warning("%s (it is damaged: its SHA-256 is another)", again)
            return None
        # Ordinary after an update, or where a fit or the tiles changed: no reason for concern.
        if fingerprint(document["key"]) != fingerprint(key):
            logger.info("%s (data, code or baseline changed)", again)
            return None
        return scores

    def knows(self, method: str) -> bool:
        """Whether the scores of a method are known."""
        return method in self._known

    def of(self, method: str, count: int) -> list[Batch]:
        """Scores and states of the next tiles of a method that is known."""
        start = self._place[method]
        self._place[method] += count
        lines = self._known[method][start : start + count]
        values = [{name: float(value) for name, value in line[2].items()} for line in lines]
        return [(values, [line[1] for line in lines])]

    def add(self, method: str, names: Sequence[str], scored: Sequence[Batch]) -> None:
        """Take in the scores of the next tiles of a method."""
        if method not in self._new:
            return
        ((scores, states),) = scored  # baselines draw nothing
        for name, values, state in zip(names, scores, states, strict=True):
            # As text: JSON has no NaN, and what is written is what float() gives back, bit for bit.
            self._new[method].append([name, state, {n: repr(v) for n, v in values.items()}])

    def write(self) -> None:
        """Write what was computed; scores are worth more than the files that spare the next run."""
        for method, scores in self._new.items():
            path, key = self._files[method]
            document = {"key": key, "scores": scores, "sha256": fingerprint([key, scores])}
            with decoration("scores of a baseline for the next run", logger.warning):
                files.write_json(path, document)


NOTHING = Kept(None, {})


@lru_cache(maxsize=1)
def _made_by() -> dict[str, str]:
    """What computes scores and baselines: the code of this package and the libraries beneath."""
    import numpy
    import scipy
    import tensorflow

    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return {
        "metrics_version": str(METRICS_VERSION),
        "code": digest.hexdigest(),
        "tensorflow": tensorflow.__version__,
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,  # bilinear_fit's triangulation
    }
