"""A request to see a film, and the copy made for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from leadapron.model import Decision, Region, ViewEvent

Frame = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True)
class ViewRequest:
    """Who wants to see which film, by which way. `regions` empty: all that the need grants."""

    recipient: str
    sop_instance: str
    channel: str = "console"
    regions: frozenset[Region] = frozenset()
    purpose: str = ""
    break_glass: bool = False
    break_glass_reason: str = ""


@dataclass(frozen=True)
class ViewGrant:
    """One grant ever made of a film: recipient × film × regions, with its one view id."""

    view_id: str
    recipient: str
    sop_instance: str
    order_id: str
    regions: frozenset[Region]
    background: str
    psnr_db: float
    key_digest: str
    channel: str
    first_ms: int
    first_ledger_index: int


@dataclass(frozen=True)
class Opened:
    """The pixels of one view, the same each time it is opened.

    Attributes:
        dataset: de-identified Part 10 dataset, MONOCHROME2, Explicit VR Little Endian.
        frame: uint8/uint16 (rows, columns) as delivered, marked.
        granted: bool (rows, columns), what the view shows.
        region_masks: bool (rows, columns) of each granted region.
    """

    dataset: Dataset
    frame: Frame
    granted: npt.NDArray[np.bool_]
    region_masks: Mapping[Region, npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class View:
    """A granted view: its ledgered event, the decision, and the marked copy."""

    event: ViewEvent
    decision: Decision
    opened: Opened

    @property
    def frame(self) -> Frame:
        """The marked frame, uint8/uint16 (rows, columns)."""
        return self.opened.frame

    @property
    def dataset(self) -> Dataset:
        """The marked copy as a DICOM dataset."""
        return self.opened.dataset
