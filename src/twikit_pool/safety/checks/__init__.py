"""The checks: each looks at a post for one thing and says why it may not go."""

from twikit_pool.safety.checks.check import Check, Context, Sighting
from twikit_pool.safety.checks.hosts import DeniedLinks, Lookalikes, Shorteners, Unresolvable
from twikit_pool.safety.checks.hours import QuietHours
from twikit_pool.safety.checks.language import Language
from twikit_pool.safety.checks.length import Length
from twikit_pool.safety.checks.media import MediaCheck
from twikit_pool.safety.checks.mood import Mood
from twikit_pool.safety.checks.personal import Contacts, PersonalNumbers
from twikit_pool.safety.checks.repeats import Repeats, Similar
from twikit_pool.safety.checks.secret_strings import Secrets
from twikit_pool.safety.checks.shape import Shape
from twikit_pool.safety.checks.vocabulary import Vocabulary, own_words, profanity

__all__ = [
    "Check",
    "Contacts",
    "Context",
    "DeniedLinks",
    "Language",
    "Length",
    "Lookalikes",
    "MediaCheck",
    "Mood",
    "PersonalNumbers",
    "QuietHours",
    "Repeats",
    "Secrets",
    "Shape",
    "Shorteners",
    "Sighting",
    "Similar",
    "Unresolvable",
    "Vocabulary",
    "own_words",
    "profanity",
]
