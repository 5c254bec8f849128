"""An ONNX file as a function of arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import MissingExtraError, ModelContractError

Numbers = npt.NDArray[np.float32]
INPUT = "input"


class OnnxModel:
    """``[B, C, H, W] -> [B, C, H f, W f]``, reflectance x 10000, float32, of any size.

    Args:
        path: The file.
        threads: Of one operation; None: onnxruntime's own choice.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        ModelContractError: It is no such model.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        try:
            import onnxruntime
        except ImportError:
            hint = "pip install -r requirements/predict.txt, installed 'sensor2sensor[predict]'"
            raise MissingExtraError("onnxruntime is not installed", hint=hint) from None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # an error is raised, and told once
        options.intra_op_num_threads = threads or 0
        try:
            # From bytes: onnxruntime looks for files with weights beside a path, by what it says.
            session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        # Its errors share no public type.
        except Exception as error:
            why = " ".join(str(error).split())[:160]
            raise ModelContractError(f"cannot be run ({why})", where=path) from error
        self.path, self._session = path, session
        self.output = str(session.get_outputs()[0].name)
        self.channels, self.sides = self._checked(session.get_inputs())

    def _checked(self, inputs: list[Any]) -> tuple[int | None, tuple[int, int] | None]:
        """Channels of the input, and its rows and columns; None where the file leaves them open."""
        if [one.name for one in inputs] != [INPUT]:
            names = ", ".join(one.name for one in inputs)
            raise ModelContractError(f"takes '{names}', not one '{INPUT}'", where=self.path)
        only = inputs[0]
        if only.type != "tensor(float)" or len(only.shape) != 4:
            what = f"takes {only.type} of {len(only.shape)} axes, not float32 [B, C, H, W]"
            raise ModelContractError(what, where=self.path)
        channels, *sides = (side if isinstance(side, int) else None for side in only.shape[1:])
        rows, columns = sides
        return channels, None if rows is None or columns is None else (rows, columns)

    def __call__(self, numbers: Numbers) -> Numbers:
        """Its first output."""
        made = self._session.run(None, {INPUT: np.ascontiguousarray(numbers, np.float32)})
        return np.asarray(made[0])
