"""The maps from original to pseudonym, as the MIDI-B scorer reads them. They hold identities."""

from __future__ import annotations

from pathlib import Path

from leadapron.app.cli.files import write_atomically
from leadapron.deid import Report, patient_csv, uid_csv
from leadapron.model import BadInput

PATIENTS, UIDS = "patid_mapping.csv", "uid_mapping.csv"


class Maps:
    """Collects the links of many objects; `write` makes two CSV files of mode 0600.

    Columns ``id_old,id_new``, one line a patient ID or UID.
    """

    def __init__(self, folder: Path, target: Path) -> None:
        """Refuse a folder inside the output: identities must not travel with what is clean."""
        self.folder = folder
        output = target if target.suffix == "" or target.is_dir() else target.parent
        if output.resolve() in (folder.resolve(), *folder.resolve().parents):
            raise BadInput(
                f"the folder for the maps {folder} lies in the output folder",
                remedy="choose one elsewhere: the maps name every patient",
                code="maps-in-output",
            )
        self._all = Report()

    def add(self, report: Report) -> None:
        """Take one object's links."""
        self._all.maps = list({*self._all.maps, *report.maps})

    def write(self) -> None:
        """Write both files, whole or not at all."""
        write_atomically(self.folder / PATIENTS, patient_csv([self._all]).encode())
        write_atomically(self.folder / UIDS, uid_csv([self._all]).encode())
