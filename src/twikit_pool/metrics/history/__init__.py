"""What pools did, kept: points of ten seconds, minutes and hours, and what happened; docs/history.md."""

from __future__ import annotations

from twikit_pool.metrics.history.demand import Demand
from twikit_pool.metrics.history.events import KINDS, KeptEvent
from twikit_pool.metrics.history.figures import AccountFigures, Point, Times
from twikit_pool.metrics.history.forecasting import ForecastMemory
from twikit_pool.metrics.history.history import EventPage, History
from twikit_pool.metrics.history.recorder import Recorder
from twikit_pool.metrics.history.series import CHARTED, FIGURES, Columns
from twikit_pool.metrics.history.store import DatabaseStore

__all__ = [
    "CHARTED",
    "FIGURES",
    "KINDS",
    "AccountFigures",
    "Columns",
    "DatabaseStore",
    "Demand",
    "EventPage",
    "ForecastMemory",
    "History",
    "KeptEvent",
    "Point",
    "Recorder",
    "Times",
]
