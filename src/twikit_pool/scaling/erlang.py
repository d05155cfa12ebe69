"""Erlang-C: how many connections serve a load without making callers wait.

Calls that arrive at random and wait in one line find all c connections in use with the probability C(c, a),
where a is the offered load in erlangs, arrivals a second times seconds of service. C follows from Erlang's B,
which has a recursion that neither overflows nor cancels (Cooper, Introduction to Queueing Theory, 1981, 3.3):

    B(0) = 1,   B(c) = a B(c-1) / (c + a B(c-1)),   C(c) = B(c) / (1 - (a/c) (1 - B(c)))

and those who wait, wait longer than t with the probability exp(-(c - a) t / s), for a mean service time s.
Service times are taken as exponential; those of X spread less, so callers wait less than is said here.
"""

from __future__ import annotations

from math import exp


def connections_for(
    offered: float,
    service_time: float,
    wait: float = 0.1,
    probability: float = 0.01,
    *,
    at_most: int = 100_000,
) -> int:
    """The fewest connections with which at most this share of the calls waits longer than `wait`.

    Args:
        offered: erlangs: calls a second times seconds of service; finite, at least 0.
        service_time: mean seconds that a call holds a connection, more than 0.
        wait: seconds that a caller may wait.
        probability: share of the callers that may wait longer, 0 to 1.
        at_most: what is returned when more would be needed; bounds the work too.
    """
    if offered <= 0:
        return 0
    if offered >= at_most:
        return at_most
    blocked = 1.0
    for connections in range(1, at_most):
        blocked = offered * blocked / (connections + offered * blocked)
        spare = connections - offered
        if spare > 0:
            waits = blocked / (1 - offered / connections * (1 - blocked))
            if waits * exp(-spare * wait / service_time) <= probability:
                return connections
    return at_most


def late_share(connections: int, offered: float, service_time: float, wait: float = 0.1) -> float:
    """The share of the calls that wait longer than `wait`, 0 to 1; 1 where the load is more than it can take.

    Args:
        connections: how many serve.
        offered: erlangs, as in `connections_for`.
        service_time: mean seconds that a call holds a connection, more than 0.
        wait: seconds that a caller may wait.
    """
    if offered <= 0:
        return 0.0
    if offered >= connections:
        return 1.0
    blocked = 1.0
    for each in range(1, connections + 1):
        blocked = offered * blocked / (each + offered * blocked)
    waits = blocked / (1 - offered / connections * (1 - blocked))
    return waits * exp(-(connections - offered) * wait / service_time)
