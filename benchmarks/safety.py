"""Whether copies of posts are found among 10,000 remembered ones, and what looking at a post takes.

**Recall**: 1,300 copies of remembered posts, 100 for each kind of edit that leaves what is said as it is
(`_posts.EDITS`). **False**: posts that nobody has sent, a third of which have a frame in common with
remembered ones. All are made up, from ten small vocabularies: real posts differ more, and so are told apart
more easily; who rewrites a post in other words is not found, and is not meant to be. A post and its copy are
told to be of two accounts.

**Time** is CPU time of this process: looking one post up among 10,000 (`PostMemory.elsewhere`), with what it
takes to fold its words; and everything that the filter says of a post with the extra `safety` installed.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from benchmarks import Bar, Report
from benchmarks._posts import EDITS, post
from twikit_pool.safety import ContentSafetyFilter, Post, PostMemory

REMEMBERED: Final = 10_000
COPIES: Final = 100
FRESH: Final = 2_000
CHECKED: Final = 500
SEED: Final = 11
SCORE: Final = 80.0
SHORTEST: Final = 20
DEAR: Final = ("あ", "a.", "a.b", "あ.", "(", "@a", "#a", "a(", "_.", "-", "http://", "\ufe0f\u200d", "1 ")
"""Pieces of which texts are made that take long to look through."""


def run() -> Report:
    rng = random.Random(SEED)  # noqa: S311 - the same posts every time
    memory = PostMemory()
    texts = _different(rng, REMEMBERED)
    began = time.process_time()
    with memory.exclusive():
        for text in texts:
            memory.enter(Post(text=text), "one")
    entering = (time.process_time() - began) / REMEMBERED

    def found(text: str) -> bool:
        return memory.elsewhere(Post(text=text), "another", SCORE, SHORTEST) is not None

    recalls = {
        kind: statistics.mean(found(edit(rng, text)) for text in rng.sample(texts, COPIES))
        for kind, edit in EDITS.items()
    }
    known = set(texts)
    fresh = [text for text in _different(rng, FRESH) if text not in known]
    false = statistics.mean(map(found, fresh))
    times = [_timed(found, text) for text in _different(rng, FRESH)]
    checks = asyncio.run(_checks(memory, _different(rng, CHECKED)))
    figures: dict[str, float | int | str] = {
        "remembered posts": len(memory),
        "entering one, µs": entering * 1e6,
        **{f"recall: {kind}": recall for kind, recall in recalls.items()},
        "looking one up, µs, median": statistics.median(times) * 1e6,
        "looking one up, µs, p99": statistics.quantiles(times, n=100)[98] * 1e6,
        "looking one up, µs, longest": max(times) * 1e6,
        "the whole check of a post, µs, median": statistics.median(checks) * 1e6,
        "the whole check of a post, µs, p99": statistics.quantiles(checks, n=100)[98] * 1e6,
    }
    memory.close()
    figures["the dearest text of 25,000 letters, ms"] = max(map(_dear, DEAR)) * 1e3
    return Report(
        figures=figures,
        bars=[
            Bar("recall over all edits", statistics.mean(recalls.values()), 0.95, better="higher"),
            Bar("recall of the worst edit", min(recalls.values()), 0.9, better="higher"),
            Bar("false positives", false, 0.005, better="lower"),
            Bar("looking one up among 10,000, ms, mean", statistics.mean(times) * 1e3, 1.0, better="lower"),
        ],
    )


def _dear(piece: str) -> float:
    text = f"{(piece * 25_000)[:24_990]}.com"
    looking = ContentSafetyFilter()
    taken = _timed(lambda long: looking.quick(Post(text=long, long=True)), text)
    looking.close()
    return taken


def _different(rng: random.Random, number: int) -> list[str]:
    texts: dict[str, None] = {}
    while len(texts) < number:
        texts[post(rng)] = None
    return list(texts)


def _timed(work: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    work(text)
    return time.process_time() - began


async def _checks(memory: PostMemory, texts: Iterable[str]) -> list[float]:
    looking = ContentSafetyFilter(memory=memory)
    now = datetime.now(UTC)
    times: list[float] = []
    await looking.check("so that everything is loaded", "another")
    for text in texts:
        began = time.process_time()
        await looking.check(text, "another", looking.context("another", now=now))
        times.append(time.process_time() - began)
    return times
