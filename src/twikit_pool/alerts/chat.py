"""Messages to chats, mail, telephones and 170 other services, through apprise (the extra `notify`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from twikit_pool.errors import ConfigError, DeliveryFailed
from twikit_pool.redaction import Secret, without_frames

if TYPE_CHECKING:
    from twikit_pool.alerts.notice import Notice

_TYPES: Final = {"info": "info", "warning": "warning", "critical": "failure"}


class AppriseChat:
    """Sends messages through one service that apprise knows.

    Args:
        url: as apprise has it, `slack://…`, `mailto://…`; a secret.
        name: as it is spoken of.

    Raises:
        ConfigError: apprise is not installed, or does not understand the URL.
    """

    def __init__(self, url: Secret, *, name: str = "apprise") -> None:
        self.name = name
        # They quote URLs, with their tokens, in what they log.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
        try:
            import apprise
        except ImportError:
            raise ConfigError(
                f"{name} needs apprise, which is not installed: pip install 'twikit-pool[notify]'"
            ) from None
        self._sender: Any = apprise.Apprise()
        if not self._sender.add(url.reveal()):
            raise ConfigError(
                f"apprise does not understand {name}, which is not shown here: "
                "`apprise --details` lists what it knows"
            )

    async def send(self, notice: Notice) -> None:
        """Send a message; in threads of apprise's own.

        Raises:
            DeliveryFailed: it was not taken. Apprise does not say why.
        """
        kind = "success" if notice.kind == "resolved" else _TYPES[notice.severity]
        try:
            sent = await self._sender.async_notify(body=notice.text, title=notice.title, notify_type=kind)
        except Exception as error:  # noqa: BLE001 - a boundary: 170 services, and their words may have tokens
            raise DeliveryFailed(f"it failed ({type(without_frames(error)).__name__})", again=True) from None
        if not sent:
            raise DeliveryFailed("it did not take the message; apprise does not say why", again=True)

    async def aclose(self) -> None:
        """It holds nothing."""
