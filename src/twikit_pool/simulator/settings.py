"""How a simulator behaves."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from twikit_pool.errors import ConfigError


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be chosen. Durations are seconds, as they pass for the caller.

    Attributes:
        accounts: how many accounts may log in: `sim_001` and on.
        seed: decides tokens, people, posts, latencies and which faults strike.
        limits: whether X's rate windows and the daily cap hold.
        time_scale: how many times faster than on X windows and days pass, at most 900: at 60 a window
            of 15 minutes lasts 15 seconds.
        overrides: calls a window for some endpoints, by name.
        refusal_headers: whether a 429 carries the window's headers too, as all other answers do.
        daily_posts: the hidden cap on posts a (scaled) day and account.
        daily_code: the code that tells of it, inside an HTTP 200.
        latency: median seconds before a call is worked on.
        latency_sigma: spread of the lognormal latency; 0 for always the median.
        ct0_rotation: a new csrf token after so many calls of an account; 0 for never.
        home_page_bytes: the size the home page is filled up to; X's is about 295,000.
        people: users besides the accounts.
        posts: posts in the beginning.
        media_processing: seconds that a video or animated image is worked on after its upload.

    Raises:
        ConfigError: a value is out of range.
    """

    accounts: int = 3
    seed: int = 1
    limits: bool = True
    time_scale: float = 1.0
    overrides: dict[str, int] = {}
    refusal_headers: bool = True
    daily_posts: int = 50
    daily_code: Literal[344, 501, 185] = 344
    latency: float = 0.0
    latency_sigma: float = 0.0
    ct0_rotation: int = 0
    home_page_bytes: int = 0
    people: int = 30
    posts: int = 150
    media_processing: float = 0.2

    def __post_init__(self) -> None:
        least = {"accounts": 1, "people": 2}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, (int, float)) and name != "seed" and value < least.get(name, 0):
                raise ConfigError(f"{name} must be at least {least.get(name, 0)}, not {value}")


def read_settings(given: dict[str, Any]) -> Settings:
    """Settings from keyword arguments.

    Raises:
        ConfigError: one is unknown, of the wrong type or out of range.
    """
    try:
        return msgspec.convert(given, Settings)
    except msgspec.ValidationError as error:
        known = ", ".join(Settings.__struct_fields__)
        raise ConfigError(f"the simulator cannot be set up so: {error}; its settings are {known}") from error
