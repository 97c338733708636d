"""LeadApron 铅衣: the lead apron between the X-ray machine and everybody who reads films."""

__version__ = "0.1.0"
