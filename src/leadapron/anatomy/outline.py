"""Outlines for the viewer and DICOM Segmentation objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.ribs import RIGHT, Rib
from leadapron.model import ANATOMY, BadInput, Region, RegionMap
from leadapron.model.region import Code

if TYPE_CHECKING:
    import highdicom as hd
    from pydicom import Dataset

_TOLERANCE = 0.0008
_SMALLEST = 2e-5


def contours(region_map: RegionMap, region: str) -> list[npt.NDArray[np.float64]]:
    """Return the region's closed outlines, each float (N, 2) of (column, row) at pixel centres.

    Simplified to within 0.08 % of the film's longer side; specks under 0.002 % of the
    film are left out. Raises NotFound if the region was not found.
    """
    mask = region_map.mask(region).astype(np.uint8)
    lines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    tolerance = _TOLERANCE * max(mask.shape)
    kept = (line for line in lines if cv2.contourArea(line) >= _SMALLEST * mask.size)
    simple = (cv2.approxPolyDP(line, tolerance, True)[:, 0] for line in kept)
    return [line.astype(np.float64) for line in simple if len(line) >= 3]


def to_segmentation(
    region_map: RegionMap, source: Dataset, regions: Sequence[str] | None = None
) -> Dataset:
    """Return a DICOM Segmentation of the film's regions (PS3.3 A.51), one segment each.

    source: the film's dataset, single frame, of the map's shape.
    regions: which; by default every anatomical region found.

    Raises BadInput if the shapes differ or no region is left, NotFound for a region that
    is not in the map.
    """

    if (source.Rows, source.Columns) != region_map.shape:
        raise BadInput(
            f"the map is {region_map.shape}, the film {(source.Rows, source.Columns)}",
            remedy="give the dataset whose pixels were segmented",
        )
    wanted = [Region(r) for r in regions or region_map.regions if Region(r) in ANATOMY]
    if not wanted:
        raise BadInput("no region to store", remedy="segment a chest film first")
    planes = np.stack([region_map.mask(region) for region in wanted], axis=-1)
    version = region_map.model_version or "unknown"
    described = [_describe(i + 1, r.coded, "", version) for i, r in enumerate(wanted)]
    return _segmentation(planes, described, source, version, "ANATOMY")


def ribs_to_segmentation(ribs: Sequence[Rib], source: Dataset, version: str = "") -> Dataset:
    """Return a DICOM Segmentation with one segment a rib (PS3.3 A.51).

    Each has the SNOMED CT concept of its number (of a rib in general where it has none)
    and its side as modifier (PS3.3 C.8.20.4, Segmented Property Type Modifier).

    source: the film's dataset, single frame, of the ribs' shape. version: of the weights.
    Raises BadInput if there is no rib or the shapes differ.
    """
    if not ribs:
        raise BadInput("no rib to store", remedy="segment a chest film first")
    if (source.Rows, source.Columns) != ribs[0].shape:
        raise BadInput(
            f"the ribs are of a film {ribs[0].shape}, this is {(source.Rows, source.Columns)}",
            remedy="give the dataset whose pixels were segmented",
        )
    version = version or "unknown"
    planes = np.stack([rib.mask for rib in ribs], axis=-1)
    described = [_describe(i + 1, rib.coded, rib.side, version) for i, rib in enumerate(ribs)]
    return _segmentation(planes, described, source, version, "RIBS")


def _segmentation(
    planes: npt.NDArray[np.bool_],
    described: list[hd.seg.SegmentDescription],
    source: Dataset,
    version: str,
    label: str,
) -> Dataset:
    import highdicom as hd

    segmentation = hd.seg.Segmentation(
        source_images=[_without_zero_spacing(source)],
        pixel_array=planes[None].astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=described,
        series_instance_uid=hd.UID(),
        series_number=int(source.get("SeriesNumber") or 1) + 900,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="LeadApron",
        manufacturer_model_name="LeadApron anatomy",
        software_versions=version[:64],
        device_serial_number="0",
        content_label=label,
        omit_empty_frames=False,
    )
    segmentation.PatientOrientation = source.get("PatientOrientation") or []
    return segmentation


def _without_zero_spacing(source: Dataset) -> Dataset:
    """Some films state a pixel spacing of zero; it must not spread into new objects."""
    from pydicom import Dataset

    spacing = source.get("PixelSpacing")
    if not spacing or all(float(value) > 0 for value in spacing):
        return source
    left_out = {"PixelSpacing", "PixelData"}
    clean = Dataset({e.tag: e for e in source if e.keyword not in left_out})
    clean.file_meta = source.file_meta
    return clean


def _describe(number: int, code: Code, side: str, version: str) -> hd.seg.SegmentDescription:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    label = f"{side} {code.meaning.lower()}".capitalize() if side else code.meaning
    described = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=hd.sr.CodedConcept(code.value, code.scheme, code.meaning),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="LeadApron anatomy",
            version=version[:64],
            family=hd.sr.CodedConcept("123109", "DCM", "Artificial Intelligence"),
        ),
    )
    if side:
        modifier = codes.SCT.Right if side == RIGHT else codes.SCT.Left
        described.SegmentedPropertyTypeModifierCodeSequence = [
            hd.sr.CodedConcept.from_code(modifier)
        ]
    return described
