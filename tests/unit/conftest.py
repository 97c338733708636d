"""The shipped network and the one real film that every environment has."""

from pathlib import Path

import numpy as np
import pytest

from leadapron.anatomy import Segmenter
from leadapron.model import RegionMap

pydicom = pytest.importorskip("pydicom")


@pytest.fixture(scope="session")
def segmenter() -> Segmenter:
    return Segmenter.load(threads=1)


@pytest.fixture(scope="session")
def dataset() -> "pydicom.Dataset":
    store = pytest.importorskip("data_store", reason="the real film is in pydicom-data")
    film = Path(store.__file__).parent / "data" / "RG1_UNCI.dcm"
    if not film.exists():
        pytest.skip("this pydicom-data has no RG1_UNCI.dcm")
    return pydicom.dcmread(film)


@pytest.fixture(scope="session")
def small(dataset: "pydicom.Dataset") -> np.ndarray:
    return np.ascontiguousarray(dataset.pixel_array[::4, ::4])


@pytest.fixture(scope="session")
def found(segmenter: Segmenter, small: np.ndarray) -> RegionMap:
    return segmenter.segment(small, "MONOCHROME1")
