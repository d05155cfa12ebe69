"""Reports as files: HTML with its charts in it, CSV, and (extra `reports`) PNG, SVG and PDF."""

from __future__ import annotations

from twikit_pool.analytics.rendering.html import html_of
from twikit_pool.analytics.rendering.rows import csv_of

__all__ = ["csv_of", "html_of"]
