"""Commit to a view's mark before it is delivered."""

from __future__ import annotations

import hashlib

from leadapron.watermark.chips import chip_key

_LABEL = b"leadapron/watermark/commitment/v1"


def key_digest(key: bytes, view_id: str, image_digest: str = "") -> str:
    """Return the hex SHA-256 commitment to the secret that made a view's mark.

    The ledger keeps it with the view event, before the first pixel leaves. Later the secret of
    that one view can be opened to an expert, who checks it against the commitment, without
    giving away the watermark key. A commitment does not stop a holder of the key from marking
    a fake: it only fixes which mark belonged to which view.

    Args:
        key: the watermark secret.
        view_id: the view's name.
        image_digest: as given to `embed`.
    """
    secret = chip_key(key, view_id, image_digest)
    return hashlib.sha256(len(_LABEL).to_bytes(4, "big") + _LABEL + secret).hexdigest()
