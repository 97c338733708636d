"""Ingest and catalogue: takes sealed films only, keeps them by digest."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from sqlalchemy import func, or_, select

from leadapron.archive.film import Film
from leadapron.archive.placing import StudyMove, placed
from leadapron.archive.tables import FilmRow, StudyMoveRow
from leadapron.model import BadInput, Conflict, IntegrityFailure, NotFound
from leadapron.policy.aliases import resolve
from leadapron.seal import is_sealed, verify_sealed
from leadapron.store.blobs import LocalBlobStore
from leadapron.store.database import Database

QUERY_KEYS: Mapping[str, str] = {
    "StudyInstanceUID": "study_instance",
    "SeriesInstanceUID": "series_instance",
    "SOPInstanceUID": "sop_instance",
    "SOPClassUID": "sop_class",
    "PatientID": "patient",
    "AccessionNumber": "accession",
    "Modality": "modality",
    "StudyDate": "study_date",
    "StudyDescription": "study_description",
}
"""DICOM attribute → catalogue column, for QIDO-RS (PS3.18 10.6) and C-FIND (PS3.4 C.4.1)."""


@dataclass(frozen=True)
class Ingested:
    """The film as catalogued; `created` is False when it was there already."""

    film: Film
    created: bool


class Archive:
    """The archive: a catalogue in a database, objects in a blob store."""

    def __init__(self, database: Database, blobs: LocalBlobStore) -> None:
        self._database = database
        self._blobs = blobs

    def ingest(self, part10: bytes, source_digest: str = "") -> Ingested:
        """Keep one sealed Part 10 object; durable on return and idempotent.

        Raises BadInput for anything that is not a sealed, de-identified object, Conflict when
        the SOP Instance UID is already taken by another film.
        """
        dataset = _read(part10)
        _require_safe(dataset)
        digest = hashlib.sha256(part10).hexdigest()
        film = _describe(dataset, part10, digest, source_digest or digest)
        known = self._find(film.sop_instance)
        if known is None:
            self._blobs.put(film.blob, part10)
            film = self._placed(film, dated=_dated(dataset))
            known = self._insert(film)
            if known is None:
                return Ingested(film, created=True)
        if known.source_digest != film.source_digest:
            raise Conflict(
                f"SOP Instance {film.sop_instance} is already archived with other content",
                remedy="the sending device reuses UIDs: repair it, then resend with a new UID",
                code="uid-conflict",
            )
        return Ingested(known, created=False)

    def get(self, sop_instance: str) -> Film:
        """Return the catalogue's row; NotFound if there is none."""
        film = self._find(sop_instance)
        if film is None:
            raise NotFound(
                f"no film {sop_instance}", remedy="search for it: it may not have arrived yet"
            )
        return film

    def read(self, film: Film) -> bytes:
        """Return the sealed Part 10 bytes; IntegrityFailure if they are not those ingested."""
        data = self._blobs.get(film.blob)
        if hashlib.sha256(data).hexdigest() != film.sha256:
            raise IntegrityFailure(
                f"the stored object of {film.sop_instance} does not match its digest",
                remedy="run `leadapron fsck` and restore the object from its copy",
            )
        return data

    def search(
        self, match: Mapping[str, str] | None = None, patients: frozenset[str] | None = None
    ) -> list[Film]:
        """Return films that match `match` (keys of QUERY_KEYS; ``*`` and ``?`` wildcards).

        `patients` limits the answer to those pseudonyms; None means no limit. Newest first.
        """
        query = select(FilmRow).order_by(FilmRow.received_ms.desc())
        if patients is not None:
            query = query.where(FilmRow.patient.in_(patients))
        with self._database.session(read_only=True) as session:
            for keyword, value in (match or {}).items():
                column = getattr(FilmRow, QUERY_KEYS[keyword])
                wanted = _matches(column, keyword, value)
                if keyword == "PatientID":
                    # A merged patient is found by any of the pseudonyms that ever stood for it.
                    wanted = or_(wanted, column == resolve(session, value).patient)
                query = query.where(wanted)
            return [_film(row) for row in session.scalars(query)]

    def counts(self) -> tuple[int, int]:
        """Return (films, patients)."""
        query = select(func.count(), func.count(FilmRow.patient.distinct()))
        with self._database.session(read_only=True) as session:
            films, patients = session.execute(query).one()
            return int(films), int(patients)

    def move_study(self, move: StudyMove) -> None:
        """Give a study to another patient, films that arrive later included; see `refile`."""
        with self._database.session() as session:
            session.merge(StudyMoveRow(**vars(move)))

    def study_move(self, study_instance: str) -> StudyMove | None:
        """Return to whom a study was given, None if it never was."""
        with self._database.session(read_only=True) as session:
            row = session.get(StudyMoveRow, study_instance)
            if row is None:
                return None
            return StudyMove(**{f.name: getattr(row, f.name) for f in fields(StudyMove)})

    def refile(self, films: Iterable[Film]) -> list[Film]:
        """Put films under their current patients; return those that changed, as they are now.

        A film's `sent_as` and `sent_days` are taken over. Repeating it changes nothing.
        """
        changed = []
        for film in films:
            now = self._placed(film, dated=_dated(_read(self.read(film))))
            if now == self.get(film.sop_instance):
                continue
            with self._database.session() as session:
                session.merge(FilmRow(**asdict(now)))
            changed.append(now)
        return changed

    def _placed(self, film: Film, *, dated: bool) -> Film:
        with self._database.session(read_only=True) as session:
            return placed(session, film, dated=dated)

    def _find(self, sop_instance: str) -> Film | None:
        with self._database.session(read_only=True) as session:
            row = session.get(FilmRow, sop_instance)
            return _film(row) if row else None

    def _insert(self, film: Film) -> Film | None:
        """Return None when inserted, else the film that won a race for the UID."""
        try:
            with self._database.session() as session:
                session.add(FilmRow(**asdict(film)))
        except Conflict:
            return self.get(film.sop_instance)
        return None


def _dated(dataset: Dataset) -> bool:
    """Tell whether the object's dates were moved by its patient's shift (PS3.3 C.12.1)."""
    return bool(dataset.get("LongitudinalTemporalInformationModified", "") == "MODIFIED")


def _film(row: FilmRow) -> Film:
    return Film(**{f.name: getattr(row, f.name) for f in fields(Film)})


def _matches(column: Any, keyword: str, value: str) -> Any:
    if keyword == "StudyDate" and "-" in value:
        first, _, last = value.partition("-")
        return column.between(first or "0", last or "9")
    if keyword.endswith("UID"):
        return column.in_(value.replace("\\", ",").split(","))
    if "*" in value or "?" in value:
        escaped = value.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
        return column.like(escaped.replace("*", "%").replace("?", "_"), escape="\\")
    return column == value


def _read(part10: bytes) -> Dataset:
    try:
        return dcmread(BytesIO(part10))
    except (InvalidDicomError, EOFError, ValueError, KeyError, OSError) as error:
        raise BadInput(
            "the object is not a readable DICOM Part 10 file",
            remedy="send it through the edge gateway, which writes such files",
            code="not-dicom",
        ) from error


def _require_safe(dataset: Dataset) -> None:
    if not is_sealed(dataset):
        raise BadInput(
            "the archive takes sealed objects only",
            remedy="send films to the edge gateway; it seals them and forwards them here",
            code="not-sealed",
        )
    if dataset.get("PatientIdentityRemoved", "") != "YES":
        raise BadInput(
            "the object does not say that its patient's identity was removed (0012,0062)",
            remedy="send films to the edge gateway; it de-identifies them and forwards them here",
            code="not-deidentified",
        )
    verify_sealed(dataset)


def _describe(dataset: Dataset, part10: bytes, digest: str, source_digest: str) -> Film:
    return Film(
        sop_instance=str(dataset.SOPInstanceUID),
        sop_class=str(dataset.SOPClassUID),
        study_instance=str(dataset.StudyInstanceUID),
        series_instance=str(dataset.SeriesInstanceUID),
        patient=str(dataset.get("PatientID", "")),
        accession=str(dataset.get("AccessionNumber", "")),
        modality=str(dataset.get("Modality", "")),
        study_date=str(dataset.get("StudyDate", "")),
        study_description=str(dataset.get("StudyDescription", "")),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        frames=int(dataset.get("NumberOfFrames", 1) or 1),
        transfer_syntax=str(dataset.file_meta.TransferSyntaxUID),
        size=len(part10),
        sha256=digest,
        source_digest=source_digest,
        blob=f"films/{digest[:2]}/{digest}.dcm",
        tier="hot",
        received_ms=time.time_ns() // 1_000_000,
        sent_as=str(dataset.get("PatientID", "")),
    )
