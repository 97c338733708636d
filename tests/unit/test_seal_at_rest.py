"""A stolen sealed object shows nothing: not its picture, nor any other attribute."""

from __future__ import annotations

import copy
import zlib

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from seal_films import film, noise, regions, reread

from leadapron.model import BadInput
from leadapron.seal import CentreKeyPair, inspect, is_sealed, seal, unseal, verify_sealed
from leadapron.seal.pixels import duplicate

KEYS = CentreKeyPair.generate()


def film_with_copies() -> Dataset:
    """A film with its picture or measures of it in every other place the standard has."""
    pixels = noise((40, 50), 12)
    ds = film(pixels, bits_stored=12)
    icon = Dataset()
    icon.Rows = icon.Columns = 8
    icon.PixelData = bytes(range(64))
    icon["PixelData"].VR = "OB"
    ds.IconImageSequence = Sequence([icon])
    nested = Dataset()
    nested.ReferencedSOPInstanceUID = "1.2.3"
    nested.IconImageSequence = Sequence([copy.deepcopy(icon)])
    ds.ReferencedImageSequence = Sequence([nested])
    ds.add_new(0x60000010, "US", 40)
    ds.add_new(0x60003000, "OW", bytes(250))
    ds.add_new(0x50003000, "OW", bytes(20))
    ds.SmallestImagePixelValue = int(pixels.min())
    ds.LargestImagePixelValue = int(pixels.max())
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue"):
        ds[keyword].VR = "US"
    histogram = Dataset()
    histogram.HistogramData = [1, 2, 3]
    ds.HistogramSequence = Sequence([histogram])
    lut = Dataset()
    lut.LUTDescriptor = [4, 0, 16]
    lut["LUTDescriptor"].VR = "US"
    lut.LUTData = b"\0\1\2\3\4\5\6\7"
    lut["LUTData"].VR = "OW"
    ds.VOILUTSequence = Sequence([lut])
    ds.WindowCenter, ds.WindowWidth = [100, 200], [50, 60]
    ds.WindowCenterWidthExplanation = ["A", "B"]
    ds.VOILUTFunction = "SIGMOID"
    ds.PixelPaddingValue = 0
    ds["PixelPaddingValue"].VR = "US"
    private = ds.private_block(0x0009, "ACME PREVIEW", create=True)
    private.add_new(1, "OB", bytes(range(100)))
    private.add_new(2, "LO", "harmless")
    private.add_new(3, "UT", "QUJD" * 400)
    ds.add_new(0xFFFCFFFC, "OB", b"stashed!")
    return ds


def test_every_copy_is_taken_away_and_comes_back():
    ds = film_with_copies()
    sealed = reread(seal(ds, regions(40, 50), None, KEYS.public))
    verify_sealed(sealed)
    assert len(np.unique(sealed.pixel_array)) == 1
    for keyword in (
        "IconImageSequence",
        "SmallestImagePixelValue",
        "LargestImagePixelValue",
        "HistogramSequence",
        "VOILUTSequence",
        "PixelPaddingValue",
        "DataSetTrailingPadding",
    ):
        assert keyword not in sealed
    assert "IconImageSequence" not in sealed.ReferencedImageSequence[0]
    assert sealed.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3"
    assert not any(t.group in {0x6000, 0x5000} for t in list(sealed.keys()))
    assert (0x0009, 0x1001) not in sealed
    assert sealed[0x0009, 0x1002].value == "harmless"
    assert (sealed.WindowCenter, sealed.WindowWidth) == (2048, 4096), "the neutral window"
    assert unseal(sealed, KEYS) == ds


def test_a_partial_view_gets_display_attributes_but_no_measure_of_the_film():
    ds = film_with_copies()
    sealed = reread(seal(ds, regions(40, 50), None, KEYS.public))
    view = unseal(sealed, KEYS, ["heart"])
    assert view.WindowCenter == ds.WindowCenter
    assert view.VOILUTSequence == ds.VOILUTSequence
    for keyword in ("IconImageSequence", "SmallestImagePixelValue", "HistogramSequence"):
        assert keyword not in view
    assert not is_sealed(view)


def test_a_stolen_object_does_not_depend_on_the_picture():
    """Two films that differ in pixels alone differ at rest only in ciphertext."""
    known = regions(64, 64)
    stored = []
    for seed in (1, 2):
        ds = film(noise((64, 64), 12, seed=seed), bits_stored=12)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
        sealed = seal(ds, known, None, KEYS.public)
        ciphertext = [
            e.value
            for item in sealed.private_block(0x7FE1, "LEADAPRON SEAL 1.0")[7].value
            for e in item
            if e.VR == "OB"
        ]
        assert len(zlib.compress(b"".join(ciphertext))) > sum(map(len, ciphertext))
        open_part = duplicate(sealed)
        for tag in [t for t in list(open_part.keys()) if t.group == 0x7FE1]:
            del open_part[tag]
        stored.append(open_part)
    assert stored[0] == stored[1]


def test_ciphertext_lengths_are_padded():
    ds = film(noise((200, 200), 12), bits_stored=12)
    sealed = seal(ds, regions(200, 200), None, KEYS.public)
    block = sealed.private_block(0x7FE1, "LEADAPRON SEAL 1.0")
    lengths = [len(e.value) for i in block[7].value for e in i if e.VR == "OB"]
    for length in [*lengths, len(block[6].value)]:
        plain = length - 16
        assert plain >= 1024
        exponent = plain.bit_length() - 1
        assert plain % (1 << (exponent - exponent.bit_length())) == 0


def test_cell_numbers_do_not_tell_the_region():
    ds = film(noise((40, 50), 12), bits_stored=12)
    orders = set()
    for _ in range(6):
        manifest = inspect(seal(ds, regions(40, 50), None, KEYS.public), KEYS)
        by_number = sorted(manifest.cells, key=lambda c: c.cell)
        orders.add(tuple(c.regions for c in by_number))
    assert len(orders) > 1


def _stash(ds, spoil):
    spoiled = duplicate(ds)
    spoil(spoiled)
    return spoiled


def _icon(ds):
    item = Dataset()
    item.PixelData = b"xx"
    item["PixelData"].VR = "OB"
    ds.IconImageSequence = Sequence([item])


def _nested_pixels(ds):
    item = Dataset()
    item.PixelData = b"xx"
    item["PixelData"].VR = "OB"
    ds.ReferencedImageSequence = Sequence([item])


def _private(ds):
    ds.private_block(0x0011, "ACME", create=True).add_new(1, "OW", b"picture!")


def _in_block(ds):
    ds.private_block(0x7FE1, "LEADAPRON SEAL 1.0").add_new(0x20, "OB", b"picture!" * 9)


def _in_item(ds):
    item = ds.private_block(0x7FE1, "LEADAPRON SEAL 1.0")[7].value[0]
    item.PixelData = b"xx"
    item["PixelData"].VR = "OB"


def _one_pixel(ds):
    pixels = ds.pixel_array.copy()
    pixels[5, 5] ^= 1
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"


def _behind_the_picture(ds):
    ds.PixelData += bytes(10_000)


def _behind_the_native_picture(ds):
    ds.PixelData = bytes(2 * ds.Rows * ds.Columns + 10_000)
    ds["PixelData"].VR = "OW"
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"


def _second_seal(ds):
    ds.add_new(0x7FE10020, "LO", "LEADAPRON SEAL 1.0")
    ds.add_new(0x7FE12030, "OB", b"picture!")


def _statistics(ds):
    ds.SmallestImagePixelValue = 3
    ds["SmallestImagePixelValue"].VR = "US"


def _unsealed(ds):
    for tag in [t for t in list(ds.keys()) if t.group == 0x7FE1]:
        del ds[tag]


@pytest.mark.parametrize(
    "spoil",
    [
        _icon,
        _nested_pixels,
        _private,
        _in_block,
        _in_item,
        _one_pixel,
        _behind_the_picture,
        _behind_the_native_picture,
        _second_seal,
        _statistics,
        _unsealed,
        lambda ds: ds.add_new(0x60003000, "OW", b"overlay!"),
        lambda ds: ds.add_new(0x7FE00008, "OF", bytes(8)),
        lambda ds: setattr(ds, "NumberOfFrames", 2),
        lambda ds: setattr(ds.private_block(0x7FE1, "LEADAPRON SEAL 1.0")[5], "value", b"x" * 30),
    ],
)
def test_the_archive_takes_nothing_that_could_show_the_film(spoil):
    sealed = seal(film(noise((40, 50), 12), bits_stored=12), regions(40, 50), None, KEYS.public)
    verify_sealed(sealed)
    with pytest.raises(BadInput) as caught:
        verify_sealed(_stash(sealed, spoil))
    assert caught.value.remedy


def test_the_real_film_at_rest_is_one_grey():
    path = get_testdata_file("RG1_UNCI.dcm", download=False)
    if path is None:
        pytest.skip("pydicom-data is not installed: no real chest film to seal")
    ds = pydicom.dcmread(path)
    sealed = reread(seal(ds, regions(ds.Rows, ds.Columns), None, KEYS.public))
    assert (sealed.pixel_array == 2**15 - 1).all()
    assert len(sealed.PixelData) < 4096
    verify_sealed(sealed)
