"""QIDO-RS and WADO-RS (PS3.18 10.4, 10.6) over delivery: marked copies only."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse
from pydicom.dataset import Dataset

from leadapron.app.api.multipart import related
from leadapron.app.api.security import Here, Reader
from leadapron.app.auth import Principal
from leadapron.app.instance import Instance
from leadapron.archive import QUERY_KEYS, Film
from leadapron.delivery import View, ViewRequest
from leadapron.edge import write_part10
from leadapron.model import BadInput, LeadApronError, NotFound
from leadapron.seal.codec import encode_htj2k

router = APIRouter(tags=["DICOMweb"])

DICOM_JSON = "application/dicom+json"
HTJ2K_RPCL = "1.2.840.10008.1.2.4.202"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
INSTANCE = "/studies/{study}/series/{series}/instances/{sop}"
Accept = Annotated[str, Header()]


class NotAcceptable(LeadApronError):
    """The client accepts nothing that we can send."""

    code = "not-acceptable"
    http = 406
    exit_code = 65


@router.get("/studies")
def search_studies(request: Request, here: Here, caller: Reader) -> JSONResponse:
    """QIDO-RS: studies that the reader's orders name."""
    return _search(request, here, caller, {}, "study_instance")


@router.get("/series")
@router.get("/studies/{study}/series")
def search_series(request: Request, here: Here, caller: Reader, study: str = "") -> JSONResponse:
    """QIDO-RS: series."""
    return _search(request, here, caller, {"StudyInstanceUID": study}, "series_instance")


@router.get("/instances")
@router.get("/studies/{study}/instances")
@router.get("/studies/{study}/series/{series}/instances")
def search_instances(
    request: Request, here: Here, caller: Reader, study: str = "", series: str = ""
) -> JSONResponse:
    """QIDO-RS: instances."""
    match = {"StudyInstanceUID": study, "SeriesInstanceUID": series}
    return _search(request, here, caller, match, "sop_instance")


def one_film(here: Here, study: str, series: str, sop: str) -> Film:
    """Return the film that a path names; NotFound when it is of another study or series."""
    film = here.archive.get(sop)
    if film.study_instance != study or (series and film.series_instance != series):
        raise NotFound(f"no instance {sop} in that study and series", remedy="search for it")
    return film


NamedFilm = Annotated[Film, Depends(one_film)]


@router.get(INSTANCE + "/metadata")
def instance_metadata(here: Here, caller: Reader, film: NamedFilm) -> JSONResponse:
    """WADO-RS: the view's attributes without its pixels."""
    view = open_film(here, caller, film, "metadata")
    return JSONResponse([_metadata(view.dataset)], media_type=DICOM_JSON)


@router.get("/studies/{study}/metadata")
@router.get("/studies/{study}/series/{series}/metadata")
def metadata(
    request: Request, here: Here, caller: Reader, study: str, series: str = ""
) -> JSONResponse:
    """WADO-RS: attributes of all the reader's views of a study or series."""
    films = films_of(request, here, caller, study, series)
    body = [_metadata(open_film(here, caller, film, "metadata").dataset) for film in films]
    return JSONResponse(body, media_type=DICOM_JSON)


@router.get(INSTANCE + "/frames/{frames}")
def instance_frames(
    here: Here, caller: Reader, film: NamedFilm, frames: str, accept: Accept = ""
) -> Response:
    """WADO-RS: marked frames; grey as HTJ2K where the client takes any syntax, else native."""
    numbers = frame_numbers(frames, film)
    made = open_film(here, caller, film, "wado-rs").opened.frames
    wanted = [made[n - 1] for n in numbers]
    if _wants_htj2k(accept) and wanted[0].ndim == 2:
        kind = f"image/jphc; transfer-syntax={HTJ2K_RPCL}"
        return related([(kind, encode_htj2k(frame)) for frame in wanted])
    kind = f"application/octet-stream; transfer-syntax={EXPLICIT_LE}"
    return related([(kind, frame.tobytes()) for frame in wanted])


def frame_numbers(text: str, film: Film) -> list[int]:
    """Return the frames of a path, ``1`` or ``1,3``; NotFound for what the film has not."""
    wanted = text.split(",")
    if not all(n.isdigit() and 1 <= int(n) <= film.frames for n in wanted):
        raise NotFound(
            f"there is no frame {text}", remedy=f"this film's frames count from 1 to {film.frames}"
        )
    return [int(n) for n in wanted]


@router.get("/studies/{study}")
@router.get("/studies/{study}/series/{series}")
@router.get(INSTANCE)
def retrieve(
    request: Request, here: Here, caller: Reader, study: str, series: str = "", sop: str = ""
) -> Response:
    """WADO-RS: the marked copies as Part 10 files."""
    accept = request.headers.get("Accept", "")
    if accept and not any(t in accept for t in ("application/dicom", "multipart/related", "*/*")):
        raise NotAcceptable(
            "instances are sent as application/dicom only",
            remedy='accept multipart/related; type="application/dicom"',
        )
    films = (
        [one_film(here, study, series, sop)]
        if sop
        else films_of(request, here, caller, study, series)
    )
    copies = [write_part10(open_film(here, caller, f, "wado-rs").dataset) for f in films]
    return related([(f"application/dicom; transfer-syntax={EXPLICIT_LE}", c) for c in copies])


def open_film(here: Instance, caller: Principal, film: Film, channel: str) -> View:
    """Open a view of a film for the caller; a console session's pixels are counted apart."""
    if channel == "wado-rs" and caller.kind == "session":
        channel = "console-pixels"
    return here.delivery.open_view(ViewRequest(caller.user, film.sop_instance, channel=channel))


def films_of(
    request: Request, here: Instance, caller: Principal, study: str, series: str
) -> list[Film]:
    """Return the caller's films of a study or series, newest first; NotFound without any."""
    match = {"StudyInstanceUID": study} | ({"SeriesInstanceUID": series} if series else {})
    films = here.searching.search(caller.user, match, channel="wado-rs")
    if not films:
        raise NotFound(f"nothing for you at {request.url.path}", remedy="search for your studies")
    return films


def _wants_htj2k(accept: str) -> bool:
    compact = accept.replace('"', "").replace(" ", "")
    return any(
        wanted in compact for wanted in ("transfer-syntax=*", HTJ2K_RPCL, "4.201", "image/jphc")
    )


def _search(
    request: Request, here: Instance, caller: Principal, path: dict[str, str], unique: str
) -> JSONResponse:
    match = {k: v for k, v in path.items() if v}
    for name, value in request.query_params.items():
        keyword = _keyword(name)
        if keyword:
            match[keyword] = value
    films = here.searching.search(caller.user, match, channel="qido-rs")
    distinct = list({getattr(f, unique): f for f in reversed(films)}.values())[::-1]
    limit, offset = (_number(request, n) for n in ("limit", "offset"))
    page = distinct[offset or 0 :][: limit if limit is not None else None]
    return JSONResponse([_row(f, unique, films) for f in page], media_type=DICOM_JSON)


def _keyword(name: str) -> str | None:
    """Return the attribute a query parameter names; None for controls like ``limit``."""
    if name in {"limit", "offset", "fuzzymatching", "includefield"}:
        return None
    from pydicom.datadict import keyword_for_tag

    is_tag = len(name) == 8 and all(c in "0123456789abcdefABCDEF" for c in name)
    return keyword_for_tag(int(name, 16)) if is_tag else name


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isdigit():
        raise BadInput(f"'{name}' is not a whole number", remedy="send digits only")
    return int(text)


def _row(film: Film, unique: str, films: list[Film]) -> dict[str, Any]:
    """Return the attributes of PS3.18 Tables 10.6.3-3 to -5 that the catalogue has."""
    answer = Dataset()
    for keyword, column in QUERY_KEYS.items():
        if _belongs(keyword, unique):
            setattr(answer, keyword, getattr(film, column))
    study = [f for f in films if f.study_instance == film.study_instance]
    if unique == "study_instance":
        answer.ModalitiesInStudy = sorted({f.modality for f in study})
        answer.NumberOfStudyRelatedSeries = len({f.series_instance for f in study})
        answer.NumberOfStudyRelatedInstances = len(study)
    elif unique == "sop_instance":
        answer.Rows, answer.Columns = film.rows, film.columns
        answer.NumberOfFrames = film.frames
    return dict(answer.to_json_dict())


def _belongs(keyword: str, unique: str) -> bool:
    above = {"SeriesInstanceUID", "Modality"} if unique == "study_instance" else set()
    if unique != "sop_instance":
        above |= {"SOPInstanceUID", "SOPClassUID"}
    return keyword not in above


def _metadata(dataset: Dataset) -> dict[str, Any]:
    bare = Dataset()
    bare.update({e.tag: e for e in dataset if e.keyword != "PixelData"})
    return dict(bare.to_json_dict())
