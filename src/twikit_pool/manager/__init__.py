"""Several pools over the same accounts, and what runs beside them."""

from twikit_pool.manager.automation import Attendants, Automation, Costs
from twikit_pool.manager.integrations import (
    AnalyticsSink,
    Broadcaster,
    CampaignEmergencyStop,
    CampaignEnded,
    CampaignEvent,
    CampaignPriorityChanged,
    CampaignSource,
    CampaignStarted,
    Integration,
)
from twikit_pool.manager.manager import DEFAULT_POOL, TwikitConnectionPoolManager

__all__ = [
    "DEFAULT_POOL",
    "AnalyticsSink",
    "Attendants",
    "Automation",
    "Broadcaster",
    "CampaignEmergencyStop",
    "CampaignEnded",
    "CampaignEvent",
    "CampaignPriorityChanged",
    "CampaignSource",
    "CampaignStarted",
    "Costs",
    "Integration",
    "TwikitConnectionPoolManager",
]
