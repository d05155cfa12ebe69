"""A local stand-in for X."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from twikit_pool.simulator.accounts import SimulatedAccount
    from twikit_pool.simulator.faults import Fault
    from twikit_pool.simulator.journal import Call, Write
    from twikit_pool.simulator.limits import UsedWindow
    from twikit_pool.simulator.process import RemoteAccount, SimulatorProcess
    from twikit_pool.simulator.server import Simulator
    from twikit_pool.simulator.transport import SimulatorTransport

__all__ = [
    "Call",
    "Fault",
    "RemoteAccount",
    "SimulatedAccount",
    "Simulator",
    "SimulatorProcess",
    "SimulatorTransport",
    "UsedWindow",
    "Write",
]

_HOME: Final = {
    "Call": "journal",
    "Fault": "faults",
    "RemoteAccount": "process",
    "SimulatedAccount": "accounts",
    "Simulator": "server",
    "SimulatorProcess": "process",
    "SimulatorTransport": "transport",
    "UsedWindow": "limits",
    "Write": "journal",
}


def __getattr__(name: str) -> Any:
    # Lazily: pytest loads the plugin of this package in every run of everybody who has it installed.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
