"""Text as X reads it: how long it is, and what in it is a link, a hashtag, a mention or a cashtag."""

from twikit_pool.safety.text.links import links
from twikit_pool.safety.text.marks import Mark, cashtags, hashtags, mentions, replied_to
from twikit_pool.safety.text.weight import LONG, USUAL, Measure, Weights, measure

__all__ = [
    "LONG",
    "USUAL",
    "Mark",
    "Measure",
    "Weights",
    "cashtags",
    "hashtags",
    "links",
    "measure",
    "mentions",
    "replied_to",
]
