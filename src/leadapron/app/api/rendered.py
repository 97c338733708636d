"""WADO-RS rendered and thumbnail resources (PS3.18 10.4.1.1.3, 10.4.1.1.5).

Both are made from the marked view, never from the film: whatever a picture is scaled to, it
carries the mark of its view as far as so many pixels can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from leadapron.app.api.dicomweb import (
    INSTANCE,
    NamedFilm,
    NotAcceptable,
    films_of,
    frame_numbers,
    open_film,
)
from leadapron.app.api.multipart import related
from leadapron.app.api.security import Here, Reader
from leadapron.app.auth import Principal
from leadapron.app.instance import Instance
from leadapron.archive import Film
from leadapron.delivery.display import display_of, encoded, fitted
from leadapron.model import BadInput

router = APIRouter(tags=["DICOMweb"])

THUMBNAIL_SIDE = 256
LARGEST_SIDE = 8192
KINDS = {"image/jpeg": "jpeg", "image/png": "png", "image/*": "jpeg", "*/*": "jpeg"}


@dataclass
class Look:
    """The query parameters of PS3.18 8.3.5.1, and the Accept header."""

    accept: Annotated[str, Header()] = ""
    viewport: Annotated[
        str, Query(description="`columns,rows`: the picture is made smaller to fit.")
    ] = ""
    window: Annotated[
        str, Query(description="`center,width,linear`, in the units of the metadata.")
    ] = ""
    quality: Annotated[int, Query(ge=1, le=100, description="Of a JPEG.")] = 95

    @property
    def kind(self) -> str:
        """``jpeg`` or ``png``; NotAcceptable when the client takes neither."""
        wanted = [part.partition(";")[0].strip() for part in self.accept.lower().split(",")]
        for one in wanted if self.accept else ["*/*"]:
            if one in KINDS:
                return KINDS[one]
        if any(one == "multipart/related" for one in wanted):
            return "png" if "image/png" in self.accept else "jpeg"
        raise NotAcceptable(
            "pictures are sent as image/jpeg or image/png", remedy="accept one of them"
        )

    @property
    def size(self) -> tuple[int, int] | None:
        """(columns, rows) to fit into, or None."""
        if not self.viewport:
            return None
        numbers = self.viewport.split(",")
        if len(numbers) != 2 or not all(n.strip().isdigit() for n in numbers):
            raise BadInput(
                "the viewport is not `columns,rows`", remedy="send, for instance, viewport=512,512"
            )
        columns, rows = (int(n) for n in numbers)
        if not (1 <= columns <= LARGEST_SIDE and 1 <= rows <= LARGEST_SIDE):
            raise BadInput(
                f"a viewport of {columns}×{rows} is not possible",
                remedy=f"ask for 1 to {LARGEST_SIDE} pixels a side",
            )
        return columns, rows

    @property
    def center_width(self) -> tuple[float, float] | None:
        """(center, width) of the window asked for, or None."""
        if not self.window:
            return None
        parts = self.window.split(",")
        try:
            center, width = float(parts[0]), float(parts[1])
        except (IndexError, ValueError):
            raise BadInput(
                "the window is not `center,width,linear`", remedy="send two numbers"
            ) from None
        if (parts[2] if len(parts) > 2 else "linear").lower() != "linear" or width < 1:
            raise BadInput(
                "only linear windows of width 1 or more are rendered",
                remedy="send window=center,width,linear",
            )
        return center, width


Wanted = Annotated[Look, Depends()]


@router.get(INSTANCE + "/rendered")
def rendered(here: Here, caller: Reader, film: NamedFilm, look: Wanted) -> Response:
    """WADO-RS rendered: the marked view through its window, JPEG or PNG, 8 bit."""
    return _pictures(here, caller, film, [1], look, "rendered")


@router.get(INSTANCE + "/frames/{frames}/rendered")
def rendered_frames(
    here: Here, caller: Reader, film: NamedFilm, frames: str, look: Wanted
) -> Response:
    """WADO-RS rendered: marked frames; of several, one part each."""
    return _pictures(here, caller, film, frame_numbers(frames, film), look, "rendered")


@router.get(INSTANCE + "/thumbnail")
def thumbnail(here: Here, caller: Reader, film: NamedFilm, look: Wanted) -> Response:
    """WADO-RS thumbnail: the marked view, small."""
    return _pictures(here, caller, film, [1], _small(look), "thumbnail")


@router.get(INSTANCE + "/frames/{frames}/thumbnail")
def thumbnail_of_frame(
    here: Here, caller: Reader, film: NamedFilm, frames: str, look: Wanted
) -> Response:
    """WADO-RS thumbnail: marked frames, small."""
    return _pictures(here, caller, film, frame_numbers(frames, film), _small(look), "thumbnail")


@router.get("/studies/{study}/thumbnail")
@router.get("/studies/{study}/series/{series}/thumbnail")
def thumbnail_of_study(
    request: Request, here: Here, caller: Reader, look: Wanted, study: str, series: str = ""
) -> Response:
    """WADO-RS thumbnail of a study or series: that of the reader's newest film in it."""
    film = films_of(request, here, caller, study, series)[0]
    return _pictures(here, caller, film, [1], _small(look), "thumbnail")


def _small(look: Look) -> Look:
    viewport = look.viewport or f"{THUMBNAIL_SIDE},{THUMBNAIL_SIDE}"
    return Look(look.accept, viewport, look.window, look.quality)


def _pictures(
    here: Instance, caller: Principal, film: Film, frames: list[int], look: Look, channel: str
) -> Response:
    kind, size, window = look.kind, look.size, look.center_width
    view = open_film(here, caller, film, channel)
    made = []
    for number in frames:
        picture = display_of(view.dataset, number, window)
        made.append(encoded(fitted(picture, *size) if size else picture, kind, look.quality))
    if len(made) == 1:
        return Response(made[0], media_type=f"image/{kind}")
    return related([(f"image/{kind}", one) for one in made])
