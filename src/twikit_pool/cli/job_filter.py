"""The content filter before the posts of a jobs file."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from twikit_pool.accounts.locations import data_folder
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.safety import PostGuard, overriding
from twikit_pool.safety.settings import MEMORY
from twikit_pool.service.audit import Audit

if TYPE_CHECKING:
    from twikit_pool.safety import Overridden
    from twikit_pool.service.sections import ServiceSettings

WHO: Final = "command line"


@contextmanager
def job_filter(
    settings: ServiceSettings, *, simulated: bool, override: str | None
) -> Generator[PostGuard | None]:
    """The filter as settings have it; None where it is off.

    Args:
        settings: of which `[safety]` counts.
        simulated: whether posts go to a simulator; then they are remembered for this run alone.
        override: why posts go whatever the filter says; entered in the audit log for each that needs it.

    Raises:
        ConfigError: a check cannot be made, or the audit log cannot be written.
        SafetyError: what was posted cannot be looked up.
    """
    safety = settings.safety
    if not safety.enabled:
        yield None
        return
    with ExitStack() as stack:
        path = None if simulated else safety.memory or data_folder() / MEMORY
        guard = PostGuard.of(safety, path, clock=SYSTEM_CLOCK)
        stack.callback(guard.close)
        if override is not None:
            stack.enter_context(overriding(override, by=WHO))
            if not simulated:
                audit = Audit(settings.service.audit or data_folder() / "audit.log", SYSTEM_CLOCK)
                stack.callback(audit.close)
                guard.on_override = partial(_enter, audit)
        yield guard


def _enter(audit: Audit, went: Overridden) -> None:
    audit.note(went.override.by, str(went))
