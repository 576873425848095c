"""Fixtures that more than one folder of tests uses."""

from browser import address, browser, core_page, open_figure

__all__ = ["address", "browser", "core_page", "open_figure"]
