"""A world to begin with: the accounts, people who post about this and that, who follow and like."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from twikit_pool.simulator.world import User, World

if TYPE_CHECKING:
    import random

    from twikit_pool.simulator.settings import Settings

_FIRST: Final = (
    "Ada",
    "Ben",
    "Chloe",
    "Dev",
    "Elif",
    "Femi",
    "Greta",
    "Hiro",
    "Ines",
    "Jonas",
    "Kira",
    "Luca",
)
_LAST: Final = (
    "Abe",
    "Brandt",
    "Costa",
    "Diaz",
    "Endo",
    "Fischer",
    "Gupta",
    "Haddad",
    "Ito",
    "Jansen",
    "Kaya",
)
_PLACES: Final = ("Lagos", "Lisbon", "Osaka", "Oslo", "Quito", "Toronto", "Utrecht", "")

TOPICS: Final[dict[str, tuple[str, ...]]] = {
    "python": ("asyncio", "type hints", "packaging", "pytest"),
    "climate": ("heat waves", "sea ice", "wind power", "solar"),
    "football": ("the derby", "that penalty", "the transfer window", "the new coach"),
    "cooking": ("sourdough", "ramen", "a slow ragu", "fermented chili"),
    "space": ("the lunar landing", "a comet", "the new telescope", "reusable rockets"),
    "music": ("the new album", "a live set", "vinyl", "synthesizers"),
    "cycling": ("the bike lane", "a long climb", "commuting", "gravel roads"),
    "books": ("a short story", "the translation", "the library", "science fiction"),
}
"""What people post about, and some things within it."""

_SENTENCES: Final = (
    "Reading about {thing} this morning, {topic} never gets old. #{topic}",
    "Hot take: {thing} is the best part of {topic}.",
    "Does anyone have a good source on {thing}? #{topic}",
    "Spent the weekend on {thing}. More {topic} please!",
    "{topic} people, what do you make of {thing}?",
    "Three things I learned about {thing} this week #{topic}",
    "Slow start, but {thing} made my day. #{topic}",
)
_FIRST_ID: Final = 1_000_000_000
_WEEK: Final = 7 * 86_400.0
_SINCE: Final = 1_226_966_400.0
"""18 November 2008: the day the oldest seeded profile was made."""


def populate(world: World, chance: random.Random, settings: Settings, now: float) -> list[User]:
    """Fill the world; the users that accounts log in as come back."""
    users = [
        _person(world, chance, number, f"sim_{number:03d}", f"Sim {number:03d}")
        for number in range(1, settings.accounts + 1)
    ]
    people: list[User] = []
    for number in range(settings.people):
        name = f"{chance.choice(_FIRST)} {chance.choice(_LAST)}"
        handle = f"{name.replace(' ', '_').lower()}_{number}"
        people.append(_person(world, chance, 500_000 + number, handle, name))
    topics = sorted(TOPICS)
    for number, person in enumerate(people):
        person.description = (
            f"Mostly {topics[number % len(topics)]}, sometimes {topics[(number * 3 + 1) % len(topics)]}."
        )
        person.verified = number % 4 == 0
        person.open_to_messages = number % 5 != 4
    for user in (*users, *people):
        for whom in chance.sample(people, min(10, len(people))):
            world.follow(user, whom, now)
    for user in users:
        for fan in chance.sample(people, min(3, len(people))):
            world.follow(fan, user, now)
    _post(world, chance, people, settings.posts, now)
    for user in (*users, *people):
        user.notices.clear()
    return users


def _person(world: World, chance: random.Random, number: int, handle: str, name: str) -> User:
    made = User(
        id=_FIRST_ID + number,
        handle=handle,
        name=name,
        created_at=_SINCE + chance.randrange(400_000_000),
        location=chance.choice(_PLACES),
    )
    return world.add_user(made)


def _post(world: World, chance: random.Random, people: list[User], posts: int, now: float) -> None:
    topics = sorted(TOPICS)
    for number in range(posts):
        author = people[number % len(people)]
        topic = topics[(number % len(people) + number // len(people)) % len(topics)]
        words = chance.choice(_SENTENCES).format(topic=topic, thing=chance.choice(TOPICS[topic]))
        at = now - _WEEK * (posts - number) / posts
        recent = islice(world.newest(world.words.all), 20)
        earlier = [tweet for tweet in recent if tweet.author is not author]
        parent = chance.choice(earlier) if earlier and number % 6 == 5 else None
        tweet = world.post(author, f"{words} ({number})", at, reply_to=parent)
        for fan in chance.sample(people, chance.randrange(min(4, len(people)))):
            if fan is not author:
                world.like(fan, tweet, at)
        if earlier and number % 9 == 8:
            original = chance.choice(earlier)
            if author.id not in original.retweets:
                world.retweet(author, original, at)
