"""What was posted lately, by whom: so that nothing is said twice, or by several accounts."""

from twikit_pool.safety.memory.index import Match, SimilarIndex
from twikit_pool.safety.memory.memory import Found, PostMemory
from twikit_pool.safety.memory.wording import alike, wording

__all__ = ["Found", "Match", "PostMemory", "SimilarIndex", "alike", "wording"]
