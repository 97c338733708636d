"""Identity that travels inside the object: Encrypted Attributes Sequence (PS3.15 E.1)."""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian

from leadapron.deid import cms, frames
from leadapron.deid.frames import PIXEL_DATA
from leadapron.deid.pixels import Patch
from leadapron.deid.recipients import OpeningKey, Recipient
from leadapron.deid.report import Box
from leadapron.model import BadInput, IntegrityFailure, NotFound

ENCRYPTED_ATTRIBUTES = 0x04000500
PRIVATE_GROUP, PRIVATE_CREATOR = 0x0409, "LEADAPRON IDENTITY"
MAX_PATCH_BYTES = 64 << 20
_MARKS = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
    "BurnedInAnnotation",
)
# Decoding a compressed picture changes how its samples are described; what is true now stays.
_ENCODED_HERE = frozenset({ENCRYPTED_ATTRIBUTES, PIXEL_DATA, 0x00280004, 0x00280006})


def add_encrypted_attributes(
    clean: Dataset,
    original: Dataset,
    recipients: Sequence[Recipient],
    *,
    patches: Sequence[Patch] = (),
    oaep: bool = True,
) -> None:
    """Put what `original` has and `clean` lost into `clean`, readable by the recipients only.

    Holds every top-level attribute that was removed or replaced, plus the samples under filled
    boxes (at most 64 MiB). Raises BadInput if a recipient has no key that CMS can encrypt to.
    """
    inner = Dataset()
    inner.ModifiedAttributesSequence = [_lost(clean, original)]
    if patches:
        block = inner.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
        block.add_new(0x01, "OB", _pack(patches))
    item = Dataset()
    item.EncryptedContentTransferSyntaxUID = ExplicitVRLittleEndian
    item.EncryptedContent = _even(cms.envelop(_serialise(inner), recipients, oaep=oaep))
    clean.EncryptedAttributesSequence = [item]


def reidentify_object(ds: Dataset, key: OpeningKey) -> Dataset:
    """Return a copy of `ds` with the attributes and samples that the recipient's key opens.

    Raises NotFound if nothing is encrypted inside, IntegrityFailure if the key does not fit.
    """
    if ENCRYPTED_ATTRIBUTES not in ds or not ds.EncryptedAttributesSequence:
        raise NotFound(
            "the object carries no encrypted attributes",
            remedy="look the pseudonym up in the vault instead",
        )
    inner = _open(ds, key)
    result = copy.deepcopy(ds)
    del result[ENCRYPTED_ATTRIBUTES]
    for keyword in _MARKS:
        if keyword in result:
            delattr(result, keyword)
    for holder in inner.get("ModifiedAttributesSequence", ()):
        for element in holder:
            result[element.tag] = copy.deepcopy(element)
    block = inner.get((PRIVATE_GROUP, 0x1001))
    if block is not None:
        _restore(result, block.value)
    if "SOPInstanceUID" in result and getattr(result, "file_meta", None) is not None:
        result.file_meta.MediaStorageSOPInstanceUID = result.SOPInstanceUID
    return result


def _open(ds: Dataset, key: OpeningKey) -> Dataset:
    failure: IntegrityFailure | None = None
    for item in ds.EncryptedAttributesSequence:
        try:
            content = cms.open_envelope(bytes(item.EncryptedContent), key)
        except IntegrityFailure as error:
            failure = error
            continue
        implicit = str(item.EncryptedContentTransferSyntaxUID) == "1.2.840.10008.1.2"
        return pydicom.filereader.read_dataset(
            BytesIO(content), is_implicit_VR=implicit, is_little_endian=True
        )
    raise failure or BadInput("the encrypted item is empty", remedy="ask the sender for it again")


def _lost(clean: Dataset, original: Dataset) -> Dataset:
    lost = Dataset()
    for element in original:
        if element.tag in _ENCODED_HERE or element.tag.group in (0x0002, 0x7FE0):
            continue
        always = element.keyword in _MARKS or element.keyword == "SpecificCharacterSet"
        if always or element.tag not in clean or clean[element.tag] != element:
            lost[element.tag] = copy.deepcopy(element)
    return lost


def _serialise(ds: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    write_dataset(buffer, ds)
    return buffer.getvalue()


def _even(data: bytes) -> bytes:
    return data + b"\0" * (len(data) % 2)


def _pack(patches: Sequence[Patch]) -> bytes:
    total = sum(p.samples.nbytes for p in patches)
    if total > MAX_PATCH_BYTES:
        raise BadInput(
            f"the samples under the filled boxes have {total} bytes, more than {MAX_PATCH_BYTES}",
            remedy="keep the original object in the vault's archive instead",
        )
    heads = [
        {"box": list(p.box), "dtype": p.samples.dtype.str, "shape": list(p.samples.shape)}
        for p in patches
    ]
    header = json.dumps(heads).encode()
    body = b"".join(np.ascontiguousarray(p.samples).tobytes() for p in patches)
    return _even(len(header).to_bytes(4, "little") + header + zlib.compress(body, 6))


def _restore(ds: Dataset, packed: bytes) -> None:
    size = int.from_bytes(packed[:4], "little")
    heads: list[dict[str, Any]] = json.loads(packed[4 : 4 + size])
    opener = zlib.decompressobj()
    body = opener.decompress(packed[4 + size :], MAX_PATCH_BYTES)
    samples, _ = frames.decode(ds, 1 << 31)
    for head in reversed(_placed(heads)):
        box = Box(*head["box"])
        kind, shape = np.dtype(head["dtype"]), tuple(head["shape"])
        start = head["start"]
        count = int(np.prod(shape))
        patch = np.frombuffer(body, kind, count=count, offset=start).reshape(shape)
        samples[box.frame, box.y0 : box.y1, box.x0 : box.x1] = patch
    ds[PIXEL_DATA] = DataElement(PIXEL_DATA, ds[PIXEL_DATA].VR, _even(samples.tobytes()))


def _placed(heads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add each patch's offset; later patches were taken from already filled samples."""
    start = 0
    for head in heads:
        head["start"] = start
        start += int(np.prod(head["shape"])) * np.dtype(head["dtype"]).itemsize
    return heads
