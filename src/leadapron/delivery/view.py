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
    """Who wants to see which film, by which way. `regions` empty: all that the need grants.

    `destination` is the AE title that a C-MOVE sends the copy to.
    """

    recipient: str
    sop_instance: str
    channel: str = "console"
    regions: frozenset[Region] = frozenset()
    purpose: str = ""
    break_glass: bool = False
    break_glass_reason: str = ""
    destination: str = ""


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
        dataset: de-identified Part 10 dataset, MONOCHROME2 or RGB, Explicit VR Little Endian.
        frames: uint8/uint16, each (rows, columns) or RGB (rows, columns, 3), as delivered, marked.
        granted: bool (rows, columns), what the first frame shows.
        region_masks: bool (rows, columns) of each granted region of the first frame.
    """

    dataset: Dataset
    frames: tuple[Frame, ...]
    granted: npt.NDArray[np.bool_]
    region_masks: Mapping[Region, npt.NDArray[np.bool_]]

    @property
    def frame(self) -> Frame:
        """The first frame; chest films have no other."""
        return self.frames[0]


@dataclass(frozen=True)
class View:
    """A granted view: its ledgered event, the decision, and the marked copy."""

    event: ViewEvent
    decision: Decision
    opened: Opened

    @property
    def frame(self) -> Frame:
        """The marked first frame, uint8/uint16 (rows, columns) or RGB (rows, columns, 3)."""
        return self.opened.frame

    @property
    def dataset(self) -> Dataset:
        """The marked copy as a DICOM dataset."""
        return self.opened.dataset
