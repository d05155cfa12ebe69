"""Write mixed.jsonl: a day's work of many kinds over the accounts of `twikit-pool run --sandbox 25`.

Usage: python examples/make_mixed.py
"""

from __future__ import annotations

import asyncio
import json
import random
import struct
import zlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from twikit_pool.cli.sandbox import SEED, sandbox
from twikit_pool.simulator import Simulator

Job = dict[str, Any]

HERE = Path(__file__).parent
PICTURE = "examples/sunrise.png"
ACCOUNTS = 25
NAMED = [f"sim_{number:03d}" for number in range(1, 21)]  # the last accounts of a sandbox are ill

OPENINGS = (
    "A reminder about",
    "We have news on",
    "Some thoughts after a week of",
    "Three questions that came up about",
    "Photos by our readers from",
    "Behind the scenes of",
    "Everything that you asked us about",
    "It took longer than planned, but here is",
    "Tickets are nearly gone for",
    "Our colleagues have written down",
    "Whoever could not come missed",
    "Early tomorrow we open the doors for",
    "Nobody expected so many at",
    "A small correction concerning",
)
SUBJECTS = (
    "the spring workshop in the old mill",
    "release nine, with its faster search",
    "open data week and its many maps",
    "repairs of the harbour bridge",
    "tonight's match against the islanders",
    "a choir of two hundred children",
    "the new timetable for night buses",
    "bread that is baked without an oven",
    "our archive of shipwreck letters",
    "the telescope on Mount Grey",
    "a market hall full of beekeepers",
    "wind turbines that fold like fans",
    "the chess club's hundredth birthday",
    "how rivers find their way back",
)
ENDINGS = (
    "Bring a friend and warm shoes.",
    "More of it follows on Thursday.",
    "What would you have done instead?",
    "Doors close at half past eight.",
    "The whole story is on our website.",
    "Thanks to everybody who helped!",
    "Children under twelve come in free.",
    "We are still looking for volunteers.",
    "Listen to the episode on your way home.",
    "Rain or shine, it goes ahead.",
    "Figures and sources are in the report.",
    "Which picture do you like best?",
    "Seats cannot be reserved this time.",
    "Write to us if something is missing.",
)
THANKS = ("Thank you for this!", "Good point.", "We will look into it.", "Could you tell us more?", "Agreed.")
QUERIES = ("python", "climate", "football", "cooking", "space", "music", "cycling", "books")


def picture() -> bytes:
    """A small PNG: 32 x 32 points, from night to day."""
    rows = b"".join(b"\0" + bytes((8 * row, 5 * row, 120 - 3 * row)) * 32 for row in range(32))

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


class Scene:
    """The sandbox's world as it opens, and chance to choose from it."""

    def __init__(self, x: Simulator, chance: random.Random) -> None:
        self.chance = chance
        self.users = {account.id: account.user for account in x.accounts}
        own = {user.id for user in self.users.values()}
        self.people = [user for user in x.world.users.values() if user.id not in own]
        self.posts = [str(tweet.id) for tweet in x.world.tweets.values() if tweet.retweet_of is None]
        self._numbers = count()

    def some_posts(self, number: int) -> list[str]:
        """Ids of different posts."""
        return self.chance.sample(self.posts, number)

    def text(self) -> str:
        """A text that is like no other: any two have one part of three in common at most.

        X forbids substantially similar posts across accounts, and the content filter stops them.
        """
        row, column = divmod(next(self._numbers), len(SUBJECTS))
        return f"{OPENINGS[row]} {SUBJECTS[column]}. {ENDINGS[(row + column) % len(ENDINGS)]}"


def writing(scene: Scene) -> Iterator[Job]:
    for _ in range(90):
        yield {"action": "post_tweet", "params": {"content": scene.text()}, "tags": ["news"]}
    for account in NAMED:
        params: Job = {"content": scene.text()}
        yield {"action": "post_tweet", "params": params, "account": account, "priority": "HIGH"}
    for post in scene.some_posts(50):
        params = {"content": f"{scene.chance.choice(THANKS)} {scene.text()}", "reply_to": post}
        yield {"action": "post_tweet", "params": params, "tags": ["support"]}
    for post in scene.some_posts(10):
        yield {"action": "post_tweet", "params": {"content": scene.text(), "quote": post}}
    for _ in range(5):
        poll = {"choices": ["Yes", "No", "Not sure"], "minutes": 60}
        yield {"action": "post_tweet", "params": {"content": f"{scene.text()}: shall we?", "poll": poll}}
    for _ in range(5):
        yield {"action": "post_tweet", "params": {"content": scene.text(), "media": [PICTURE]}}
    for account in NAMED[:5]:
        params = {"path": PICTURE, "alt_text": "A sunrise"}
        yield {"action": "upload_media", "params": params, "account": account}
    for day in range(1, 11):
        at = f"2030-06-{day:02d}T09:00:00+02:00"
        yield {"action": "schedule_tweet", "params": {"content": scene.text(), "at": at}}


def reacting(scene: Scene) -> Iterator[Job]:
    for action, number in (("like_tweet", 80), ("retweet", 20), ("bookmark_tweet", 20)):
        for post in scene.some_posts(number):
            yield {"action": action, "params": {"tweet_id": post}}
    for account in NAMED:
        strangers = [user for user in scene.people if user.id not in scene.users[account].following]
        for user in scene.chance.sample(strangers, 2):
            yield {"action": "follow_user", "params": {"user_id": str(user.id)}, "account": account}
    for user in scene.chance.sample([user for user in scene.people if user.open_to_messages], 20):
        params = {"user_id": str(user.id), "text": "Your order is on its way."}
        yield {"action": "send_dm", "params": params, "priority": "CRITICAL", "tags": ["support"]}
    for number in range(8):
        params = {"name": f"Watch list {number + 1}", "private": number % 2 == 0}
        yield {"action": "create_list", "params": params}


def reading(scene: Scene) -> Iterator[Job]:
    for query in QUERIES:
        for product in ("Latest", "Top", "Latest", "Top"):
            yield {"action": "search_tweet", "params": {"query": query, "product": product}}
    for _ in range(60):  # more than one window of this account holds: the rest waits for the next
        params: Job = {"query": scene.chance.choice(QUERIES), "count": 5}
        yield {"action": "search_tweet", "params": params, "account": "sim_003", "priority": "LOW"}
    for action, number in (("get_tweet", 20), ("get_likers", 10)):
        for post in scene.some_posts(number):
            yield {"action": action, "params": {"tweet_id": post}}
    for user in scene.chance.choices(scene.people, k=30):
        yield {"action": "get_user", "params": {"handle": user.handle}}
        yield {"action": "get_user_tweets", "params": {"user_id": str(user.id), "count": 20}}
    for user in scene.chance.sample(scene.people, 10):
        yield {"action": "get_followers", "params": {"user_id": str(user.id)}}
    for account in NAMED:
        yield {"action": "get_timeline", "params": {"count": 20}, "account": account}
        yield {"action": "get_notifications", "account": account}
    for category in ("trending", "news", "sports"):
        yield {"action": "get_trends", "params": {"category": category}}


async def main() -> None:
    chance = random.Random(SEED)  # noqa: S311 - the same file every time
    async with sandbox(ACCOUNTS, faults=False) as x:
        scene = Scene(x, chance)
        mixed = [*writing(scene), *reacting(scene), *reading(scene)]
    chance.shuffle(mixed)
    lines = [json.dumps({"id": f"job-{number:04d}"} | job) for number, job in enumerate(mixed, 1)]
    (HERE / "mixed.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (HERE / Path(PICTURE).name).write_bytes(picture())
    print(f"{len(lines)} jobs in {HERE / 'mixed.jsonl'}")


if __name__ == "__main__":
    asyncio.run(main())
