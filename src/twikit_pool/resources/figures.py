"""What is measured, and estimated, of connections and of the process."""

from __future__ import annotations

import msgspec


class ConnectionFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection costs.

    Attributes:
        cpu: share of one core that the calls on it took lately; of this thread alone.
        cpu_seconds: the same, all of it since it was opened.
        memory: bytes that its Python objects hold, an estimate; None before one was made.
        latency: mean seconds of its calls lately; None when there were none.
        sent, received: bytes of its requests and answers since it was opened, bodies and headers.
    """

    cpu: float = 0.0
    cpu_seconds: float = 0.0
    memory: int | None = None
    latency: float | None = None
    sent: int = 0
    received: int = 0


class ProcessFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the process costs; None where the system does not tell.

    Attributes:
        memory: bytes resident (RSS).
        cpu: share of one core that the whole process took lately; more than 1 on several.
        unattributed_cpu: the part of it that no connection's call took.
        loop_lag: seconds by which the event loop was late at most, lately.
        descriptors: files and sockets that are open.
        memory_limit: bytes that the container, or the machine, lets the process have.
        cpu_limit: cores that it may use.
    """

    memory: int | None = None
    cpu: float | None = None
    unattributed_cpu: float | None = None
    loop_lag: float = 0.0
    descriptors: int | None = None
    memory_limit: int | None = None
    cpu_limit: float | None = None
