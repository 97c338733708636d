"""The weights that ship in the package, checked before they are used."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leadapron.model import IntegrityFailure, Unavailable

if TYPE_CHECKING:
    import onnxruntime

DIRECTORY = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Network:
    """One ONNX graph and the card beside it; the card names its SHA-256."""

    graph: bytes
    card: dict[str, Any]
    threads: int

    @classmethod
    def open(cls, name: str, threads: int, folder: Path = DIRECTORY) -> Network:
        """Read ``name.onnx`` and ``name.json``.

        Unavailable if one is missing, IntegrityFailure if the graph is not the card's.
        """
        remedy = "reinstall leadapron, or restore its anatomy/weights folder"
        try:
            graph = (folder / f"{name}.onnx").read_bytes()
            card = json.loads((folder / f"{name}.json").read_text())
        except FileNotFoundError as missing:
            raise Unavailable(f"no network weights '{name}'", remedy=remedy) from missing
        if hashlib.sha256(graph).hexdigest() != card["sha256"]:
            raise IntegrityFailure(f"the weights '{name}' are not those released", remedy=remedy)
        return cls(graph, card, threads)

    @property
    def version(self) -> str:
        """Name, version and digest of the weights, for the record."""
        return f"{self.card['name']}-{self.card['version']}+{self.card['sha256'][:12]}"

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])

    def run(self, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map a batch (N, C, S, S) to the graph's one output."""
        (output,) = self._session.run(None, {"film": inputs})
        return np.asarray(output, dtype=np.float32)
