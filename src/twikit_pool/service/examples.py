"""An example of each body that a route takes, by the route's operation id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

EXAMPLES: Final[Mapping[str, Any]] = {
    "session_log_in": {"token": "tp_0a1b2c3d_…"},
    "create_pool": {"name": "news", "config": {"max_connections": 20}, "tags": ["news"]},
    "pools_reconfigure": {"max_connections": 50, "selection": "best_quality"},
    "pools_resize": {"size": 12},
    "pools_suspend": {"seconds": 60},
    "pools_drain": {"grace": 30},
    "pools_emergency_stop": {"reason": "a wrong link went out", "pause": 600},
    "pools_explain": {"action": "post_tweet", "account_id": "brand_uk", "priority": 3},
    "add_account": {
        "id": "brand_uk",
        "cookies": {"auth_token": "0123456789abcdef0123456789abcdef01234567", "ct0": "fedcba9876543210"},
        "handle": "Brand_UK",
        "tags": ["uk", "news"],
        "caps": {"post_tweet": "20/day"},
    },
    "accounts_give_cookies": {"cookies": {"auth_token": "0123456789abcdef0123456789abcdef01234567"}},
    "accounts_enable": {"reason": "back from holiday"},
    "accounts_disable": {"reason": "on holiday"},
    "accounts_quarantine": {"reason": "its proxy is being changed", "seconds": 600},
    "reservations_reserve": {
        "reserved_for": "spring",
        "account_id": "brand_uk",
        "priority": 3,
        "duration": 3600,
    },
    "extend_reservation": {"seconds": 7200},
    "execution_execute": {"action": "post_tweet", "parameters": {"content": "Hello"}, "account": "brand_uk"},
    "reviews_check_post": {
        "action": "post_tweet",
        "parameters": {"content": "Hello"},
        "account": "brand_uk",
    },
    "approve_review": {"note": "it is a public number"},
    "edit_review": {"parameters": {"content": "Call us at the usual number"}},
    "reject_review": {"note": "not ours to tell"},
    "leases_acquire": {"account_id": "brand_uk", "action": "post_tweet", "wait": 10, "ttl": 30},
    "leases_execute": {"action": "post_tweet", "parameters": {"content": "Hello"}},
    "jobs_submit": [
        {"id": "a1", "action": "post_tweet", "params": {"content": "Hello"}, "account": "brand_uk"},
        {"action": "get_user", "params": {"handle": "x"}, "priority": "LOW", "tags": ["spring"]},
    ],
    "scaling_dry_run": {"on": True},
    "acknowledge_alert": {"note": "the proxy is being changed"},
    "alerts_silence": {"rule": "account_lost", "account_id": "brand_uk", "seconds": 3600, "reason": "known"},
    "resources_optimize": {"dry_run": True},
}
