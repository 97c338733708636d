"""The one way from a pseudonym back to a name."""

from __future__ import annotations

import json

from leadapron.app.api.schemas import Identity
from leadapron.app.instance import Instance
from leadapron.deid.vault import PATIENT
from leadapron.delivery import ViewRequest


def identify(here: Instance, user: str, sop_instance: str) -> Identity:
    """Return the patient's identity to a reader who may view the film; ledgered first."""
    here.delivery.check_view(ViewRequest(user, sop_instance, channel="identity"))
    film = here.archive.get(sop_instance)
    receipt = here.ledger.append(
        {"kind": "identity", "recipient": user, "sop": sop_instance, "purpose": "care"}
    )
    known = json.loads(here.vault.original(PATIENT, film.patient).details or "{}")
    return Identity(
        patient=film.patient,
        name=known.get("name", ""),
        sex=known.get("sex", ""),
        birth_date=known.get("birth_date", ""),
        ledger_index=receipt.index,
    )
