"""Hours of the day in which nothing is posted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from twikit_pool.errors import ConfigError
from twikit_pool.safety.checks.check import Context, Sighting, Text


class QuietHours:
    """Nothing is published from `begin` to `end` by the clocks of a place; over midnight if `end` is earlier.

    Args:
        hours: as `22:00-07:00`.
        zone: whose clocks, for accounts that have no zone of their own.

    Raises:
        ConfigError: there is no such zone.
    """

    quick = False  # the account's zone counts, and it is asked once more when the post leaves

    def __init__(self, hours: str, zone: str = "UTC") -> None:
        begin, _, end = hours.partition("-")
        self._begin, self._end = time.fromisoformat(begin), time.fromisoformat(end)
        self._hours = hours
        self._zone = zone
        zone_named(zone)

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Whether it is quiet when the post goes."""
        if not (text.main and text.post.published):
            return
        zone = context.zone or self._zone
        at = (text.post.at or context.now).astimezone(zone_named(zone))
        if self._is_quiet(at):
            yield Sighting(
                "quiet.hours",
                f"it is {at:%H:%M} in {zone}, and nothing is posted at {self._hours}",
                f"post it after {self._end:%H:%M}",
            )

    def _is_quiet(self, at: datetime) -> bool:
        now = at.time()
        if self._begin <= self._end:
            return self._begin <= now < self._end
        return now >= self._begin or now < self._end


def zone_named(name: str) -> ZoneInfo:
    """The time zone of this name.

    Raises:
        ConfigError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"there is no time zone {name!r}: give one as Europe/London") from None
