"""imagecodecs as one more decoder of pydicom, so that `Dataset.pixel_array` just works.

pydicom knows HTJ2K and JPEG Lossless only with packages that are GPL-licensed or absent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from pydicom import uid
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

LABEL = "leadapron-imagecodecs"

_CODEC = {
    uid.JPEGBaseline8Bit: "jpeg8",
    uid.JPEGExtended12Bit: "jpeg8",
    uid.JPEGLossless: "ljpeg",
    uid.JPEGLosslessSV1: "ljpeg",
    uid.JPEG2000Lossless: "jpeg2k",
    uid.JPEG2000: "jpeg2k",
    uid.HTJ2KLossless: "htj2k",
    uid.HTJ2KLosslessRPCL: "htj2k",
    uid.HTJ2K: "htj2k",
}
DECODER_DEPENDENCIES = dict.fromkeys(_CODEC, ("numpy", "imagecodecs"))


def is_available(syntax: str) -> bool:
    """Return whether this plugin decodes `syntax` (pydicom's plugin protocol)."""
    return syntax in _CODEC


def register() -> None:
    """Add the plugin to pydicom's decoders, once; it is asked after pydicom's own."""
    for syntax in _CODEC:
        decoder = get_decoder(syntax)
        if LABEL not in decoder.available_plugins:
            decoder.add_plugin(LABEL, (__name__, "_decode_frame"))


def _decode_frame(src: bytes, runner: DecodeRunner) -> bytearray:
    import imagecodecs

    codec = _CODEC[uid.UID(runner.transfer_syntax)]
    decode = cast(Callable[[bytes], Any], getattr(imagecodecs, f"{codec}_decode"))
    pixels = np.ascontiguousarray(decode(bytes(src)))
    runner.set_option("bits_allocated", pixels.itemsize * 8)
    if pixels.ndim == 3:
        runner.set_option("planar_configuration", 0)
        if runner.photometric_interpretation in {"YBR_ICT", "YBR_RCT"} or codec == "jpeg8":
            runner.set_option("photometric_interpretation", "RGB")
    return bytearray(pixels.tobytes())
