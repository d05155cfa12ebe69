"""What is measured, and estimated, of connections and of the process."""

from __future__ import annotations

import msgspec


class ConnectionFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection costs.

    Attributes:
        cpu: share of one core that the calls on it took lately; of this thread alone.
        cpu_seconds: seconds of it, all since it was opened, or since measuring began.
        memory: bytes that its Python objects hold, an estimate; None before one was made.
        memory_age: seconds since that was made.
        latency: mean seconds of its calls lately; None when there were none.
        sent, received: bytes of its requests and answers since it was opened, bodies and headers.
    """

    cpu: float = 0.0
    cpu_seconds: float = 0.0
    memory: int | None = None
    memory_age: float | None = None
    latency: float | None = None
    sent: int = 0
    received: int = 0


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool costs now: memory in bytes, CPU as a share of one core, network in bytes a second."""

    memory: int | None = None
    cpu: float | None = None
    network: float | None = None


class ProcessFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the process costs; None where the system does not tell.

    Attributes:
        memory: bytes resident (RSS).
        cpu: share of one core that the whole process took lately; more than 1 on several.
        loop_cpu: the part of it that the event loop's thread took, which has one core at most.
        unattributed_cpu: the part of it that no connection's call took.
        loop_lag: seconds by which the event loop was late at most, lately.
        descriptors: files and sockets that are open.
        memory_limit: bytes that the container, or the machine, lets the process have.
        memory_pressure: share of the last ten seconds in which something in the container waited for memory.
        cpu_limit: cores that it may use.
    """

    memory: int | None = None
    cpu: float | None = None
    loop_cpu: float | None = None
    unattributed_cpu: float | None = None
    loop_lag: float = 0.0
    descriptors: int | None = None
    memory_limit: int | None = None
    memory_pressure: float | None = None
    cpu_limit: float | None = None
