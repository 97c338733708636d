"""Commands that speak to an instance's data: view, trace, administration."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leadapron.app.cli.files import write_atomically
from leadapron.app.instance import Instance
from leadapron.app.settings import Settings
from leadapron.delivery import ViewRequest
from leadapron.model import BadInput, Recipient, Role

OPERATOR = Recipient("local-operator", Role.PRIVACY_OFFICER, "", "本机操作员")
"""Whoever may read the keys folder acts under this name; the ledger says so."""


@contextlib.contextmanager
def opened(data: Path | None, keys: Path | None) -> Iterator[Instance]:
    """Open an existing instance; works beside a running one."""
    with Instance.open(Settings.of(data=data, keys=keys), create=False) as here:
        yield here


def open_view_to_file(
    data: Path | None, keys: Path | None, sop_instance: str, recipient: str, target: Path
) -> dict[str, Any]:
    """Open a view and write it as DICOM, PNG or JPEG, by the suffix of `target`."""
    import cv2

    from leadapron.delivery.display import display_of
    from leadapron.edge import write_part10

    suffix = target.suffix.lower()
    if suffix not in {".dcm", ".png", ".jpg", ".jpeg"}:
        raise BadInput(f"cannot write '{suffix}' files", remedy="name it .dcm, .png or .jpg")
    with opened(data, keys) as here:
        view = here.delivery.open_view(ViewRequest(recipient, sop_instance, channel="export"))
    if suffix == ".dcm":
        made = write_part10(view.dataset)
    else:
        made = cv2.imencode(suffix, display_of(view.dataset))[1].tobytes()
    write_atomically(target, made)
    return {
        "ok": True,
        "output": str(target),
        "view_id": view.event.view_id,
        "regions": sorted(view.event.regions),
        "order": view.event.order,
        "ledger_index": view.event.ledger_index,
    }


def trace_files(
    data: Path | None, keys: Path | None, leaked: list[Path], purpose: str
) -> dict[str, Any]:
    """Trace picture files; each is ledgered. One file gives one flat answer."""
    from leadapron.app.api.tracing import trace_answer

    answers = []
    with opened(data, keys) as here:
        here.policy.add_recipient(OPERATOR)
        for path in leaked:
            if not path.is_file():
                raise BadInput(f"{path} is not a file", remedy="check the path", code="no-input")
            found = here.tracing.trace(path.read_bytes(), OPERATOR.id, purpose)
            answer = trace_answer(here, found, OPERATOR.id).model_dump(mode="json")
            answers.append({"file": str(path), "ok": True, **answer})
    return answers[0] if len(answers) == 1 else {"ok": True, "traces": answers}


def trace_text(result: dict[str, Any]) -> str:
    """Say what the traces found."""
    lines = []
    for answer in result.get("traces", [result]):
        if answer["best"]:
            best = answer["best"]
            lines.append(
                f"{answer['file']}: points to view {best['view_id']} of "
                f"{best['recipient_display']} (order {best['order']}, p = {answer['p_value']:.1e}, "
                f"case {answer['case']})"
            )
        else:
            lines.append(f"{answer['file']}: not enough evidence")
    return "\n".join(lines)
