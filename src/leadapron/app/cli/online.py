"""Commands that speak to an instance's data."""

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
