"""How many connections a pool should have, and what they cost."""

from twikit_pool.scaling.autoscaler import AutoScaler, CeilingSource, Decided, PoolNeed
from twikit_pool.scaling.cost_keeper import CostKeeper
from twikit_pool.scaling.costs import Consumption, Cost, CostLimits, CostModel, LowWork
from twikit_pool.scaling.engine import ScalingDecision, ScalingEngine
from twikit_pool.scaling.erlang import connections_for
from twikit_pool.scaling.feeds import BritishCarbon, CarbonFeed, DayAheadPrice, PriceFeed, Reading
from twikit_pool.scaling.forecast import Forecaster, OnlineForecaster, Prediction
from twikit_pool.scaling.load import Ceiling, EndpointDemand, Load
from twikit_pool.scaling.meter import LoadMeter
from twikit_pool.scaling.shared_ceiling import SharedCeiling

__all__ = [
    "AutoScaler",
    "BritishCarbon",
    "CarbonFeed",
    "Ceiling",
    "CeilingSource",
    "Consumption",
    "Cost",
    "CostKeeper",
    "CostLimits",
    "CostModel",
    "DayAheadPrice",
    "Decided",
    "EndpointDemand",
    "Forecaster",
    "Load",
    "LoadMeter",
    "LowWork",
    "OnlineForecaster",
    "PoolNeed",
    "Prediction",
    "PriceFeed",
    "Reading",
    "ScalingDecision",
    "ScalingEngine",
    "SharedCeiling",
    "connections_for",
]
