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

HERE = Path(__file__).parent
PICTURE = "examples/sunrise.png"
ACCOUNTS = 25
NAMED = [f"sim_{number:03d}" for number in range(1, 21)]  # the last accounts of a sandbox are ill

SUBJECTS = (
    "our spring workshop",
    "the new release",
    "open data week",
    "the harbour bridge",
    "tonight's match",
)
OPENINGS = ("A reminder about", "We have news on", "Some thoughts on", "Questions about", "Photos from")
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


def jobs(x: Simulator, chance: random.Random) -> Iterator[dict[str, Any]]:
    """The jobs, kind by kind."""
    world = x.world
    accounts = {account.id: account.user for account in x.accounts}
    people = [user for user in world.users.values() if user.id not in {each.id for each in accounts.values()}]
    posts = [str(tweet.id) for tweet in world.tweets.values() if tweet.retweet_of is None]
    numbers = count(1)

    def text() -> str:
        return f"{chance.choice(OPENINGS)} {chance.choice(SUBJECTS)} (no. {next(numbers)})"

    for _ in range(90):
        yield {"action": "post_tweet", "params": {"content": text()}, "tags": ["news"]}
    for account in NAMED:
        yield {"action": "post_tweet", "params": {"content": text()}, "account": account, "priority": "HIGH"}
    for post in chance.sample(posts, 50):
        answer = f"{chance.choice(THANKS)} (no. {next(numbers)})"
        yield {"action": "post_tweet", "params": {"content": answer, "reply_to": post}, "tags": ["support"]}
    for post in chance.sample(posts, 10):
        yield {"action": "post_tweet", "params": {"content": text(), "quote": post}}
    for _ in range(5):
        poll = {"choices": ["Yes", "No", "Not sure"], "minutes": 60}
        yield {"action": "post_tweet", "params": {"content": f"{text()}: shall we?", "poll": poll}}
    for _ in range(5):
        yield {"action": "post_tweet", "params": {"content": text(), "media": [PICTURE]}}
    for account in NAMED[:5]:
        yield {
            "action": "upload_media",
            "params": {"path": PICTURE, "alt_text": "A sunrise"},
            "account": account,
        }
    for post in chance.sample(posts, 80):
        yield {"action": "like_tweet", "params": {"tweet_id": post}}
    for action, number in (("retweet", 20), ("bookmark_tweet", 20), ("get_tweet", 20), ("get_likers", 10)):
        for post in chance.sample(posts, number):
            yield {"action": action, "params": {"tweet_id": post}}
    for account in NAMED:
        strangers = [user for user in people if user.id not in accounts[account].following]
        for user in chance.sample(strangers, 2):
            yield {"action": "follow_user", "params": {"user_id": str(user.id)}, "account": account}
    for user in chance.sample([user for user in people if user.open_to_messages], 20):
        message = {"user_id": str(user.id), "text": "Your order is on its way."}
        yield {"action": "send_dm", "params": message, "priority": "CRITICAL", "tags": ["support"]}
    for query in QUERIES:
        for product in ("Latest", "Top"):
            for _ in range(3):
                yield {"action": "search_tweet", "params": {"query": query, "product": product}}
    for _ in range(60):  # more than one window of this account holds: the rest waits for the next
        params = {"query": chance.choice(QUERIES), "count": 5}
        yield {"action": "search_tweet", "params": params, "account": "sim_003", "priority": "LOW"}
    for user in chance.choices(people, k=30):
        yield {"action": "get_user", "params": {"handle": user.handle}}
        yield {"action": "get_user_tweets", "params": {"user_id": str(user.id), "count": 20}}
    for user in chance.sample(people, 10):
        yield {"action": "get_followers", "params": {"user_id": str(user.id)}}
    for account in NAMED:
        yield {"action": "get_timeline", "params": {"count": 20}, "account": account}
        yield {"action": "get_notifications", "account": account}
    for number in range(8):
        made = {"name": f"Watch list {number + 1}", "private": number % 2 == 0}
        yield {"action": "create_list", "params": made}
    for day in range(1, 11):
        at = f"2030-06-{day:02d}T09:00:00+02:00"
        yield {"action": "schedule_tweet", "params": {"content": f"Good morning, day {day}!", "at": at}}
    for category in ("trending", "news", "sports"):
        yield {"action": "get_trends", "params": {"category": category}}


async def main() -> None:
    chance = random.Random(SEED)
    async with sandbox(ACCOUNTS, faults=False) as x:
        mixed = list(jobs(x, chance))
    chance.shuffle(mixed)
    lines = [json.dumps({"id": f"job-{number:04d}"} | job) for number, job in enumerate(mixed, 1)]
    (HERE / "mixed.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (HERE / Path(PICTURE).name).write_bytes(picture())
    print(f"{len(lines)} jobs in {HERE / 'mixed.jsonl'}")


if __name__ == "__main__":
    asyncio.run(main())
