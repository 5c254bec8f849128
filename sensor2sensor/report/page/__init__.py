"""The report as a page that one shows: one HTML file, self-contained."""

from __future__ import annotations

from sensor2sensor.report.page.build import NAME, page, save, write_page

__all__ = ["NAME", "page", "save", "write_page"]
