"""What `deidentify` gives back."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import Dataset

from leadapron.deid.report import Reason, Report
from leadapron.model import Quarantined


@dataclass(frozen=True)
class DeidResult:
    """The de-identified object with its record.

    Attributes:
        dataset: a new data set; None when the object is in quarantine: what could not be
            proven clean is not handed out.
        report: what was done, row by row.
        quarantine: why the object may not go on; empty when it may.
    """

    dataset: Dataset | None
    report: Report
    quarantine: tuple[Reason, ...] = ()

    def require(self) -> Dataset:
        """Return the data set; raise Quarantined with the first reason if there is none."""
        if self.dataset is None or self.quarantine:
            reason = self.quarantine[0] if self.quarantine else Reason("empty", "no result")
            raise Quarantined(
                reason.message,
                remedy="inspect the object in quarantine and release or delete it",
                code=reason.code,
            )
        return self.dataset
