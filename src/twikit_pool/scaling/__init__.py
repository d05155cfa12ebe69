"""How many connections a pool should have."""

from twikit_pool.scaling.engine import ScalingDecision, ScalingEngine
from twikit_pool.scaling.erlang import connections_for
from twikit_pool.scaling.forecast import Forecaster, OnlineForecaster, Prediction
from twikit_pool.scaling.load import EndpointDemand, Load

__all__ = [
    "EndpointDemand",
    "Forecaster",
    "Load",
    "OnlineForecaster",
    "Prediction",
    "ScalingDecision",
    "ScalingEngine",
    "connections_for",
]
