"""The PDF report of a trace, in Chinese or English (PDF/A-2b)."""

from leadapron.incident.report.rendering import LANGUAGES, render

__all__ = ["LANGUAGES", "render"]
