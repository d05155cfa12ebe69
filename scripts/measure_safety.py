"""How often the content filter stops real tweets, and which: for docs/safety.md.

The material is public: 4,200 tweets of 2014, in the source archive of vaderSentiment (MIT licence), each with
its mood as twenty people judged it. It is not in this repository:

    pip download --no-deps --no-binary vaderSentiment vaderSentiment
    python scripts/measure_safety.py vaderSentiment-*.tar.gz [--show RULE]

Nobody has judged whether these tweets should be posted. So this tells how often each rule speaks, and with
--show where, for a person to judge; how often the language is told right (all are English); how often the
mood agrees (VADER was made from such tweets); and how many are taken for copies of earlier ones. Some were
edited by the makers of the collection: those are copies indeed.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tarfile
from collections import Counter
from pathlib import Path

from twikit_pool.safety import ContentSafetyFilter, Post, PostMemory, SafetySettings
from twikit_pool.safety.checks.language import detector
from twikit_pool.safety.checks.mood import Mood

INNER = "hutto_ICWSM_2014.tar.gz"
TWEETS = "tweets_GroundTruth.txt"
NEUTRAL = 0.05
"""Below which VADER's authors call a compound score neutral."""


def tweets(archive: Path) -> list[tuple[str, float]]:
    """Each tweet's text and mood."""
    with tarfile.open(archive) as outer:
        inside = next(each for each in outer.getmembers() if each.name.endswith(INNER))
        packed = outer.extractfile(inside)
        assert packed is not None  # noqa: S101 - it is a file
        with tarfile.open(fileobj=io.BytesIO(packed.read())) as inner:
            member = next(each for each in inner.getmembers() if each.name.endswith(TWEETS))
            told = inner.extractfile(member)
            assert told is not None  # noqa: S101 - it is a file
            lines = told.read().decode("utf-8", "replace").splitlines()
    rows = (line.split("\t", 2) for line in lines)
    return [(text.strip(), float(mood)) for _, mood, text in rows]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", type=Path)
    parser.add_argument("--show", metavar="RULE", help="print what this rule speaks about")
    chosen = parser.parse_args()
    every = tweets(chosen.archive)
    looking = ContentSafetyFilter(SafetySettings())
    decisions: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for text, _ in every:
        verdict = looking.quick(text)
        decisions[verdict.decision.value] += 1
        rules.update({f"{each.rule} ({each.severity})" for each in verdict.reasons})
        for each in verdict.reasons:
            if chosen.show and each.rule.startswith(chosen.show) and each.span is not None:
                print(f"{each.severity}\t{text[each.span.start : each.span.end]}\t{text}")
    print(f"{len(every)} tweets")
    for name, number in (*decisions.most_common(), *rules.most_common()):
        print(f"  {name:40} {number:6} {number / len(every):7.2%}")
    _tell_of_language_and_mood(every)
    _tell_of_copies([text for text, _ in every])


def _tell_of_language_and_mood(every: list[tuple[str, float]]) -> None:
    detect, mood = detector(), Mood()
    told = [detect(text) for text, _ in every]
    known = [language for language, sure in told if language is not None and sure >= 0.5]
    print(f"language: told of {len(known)}, English {known.count('en') / len(known):.1%}")
    right = statistics.mean(_side(mood.of(text)) == _side(judged / 4) for text, judged in every)
    print(f"mood: agrees with people about {right:.1%}")


def _side(mood: float) -> int:
    return 0 if abs(mood) < NEUTRAL else 1 if mood > 0 else -1


def _tell_of_copies(texts: list[str]) -> None:
    memory = PostMemory(most=len(texts) + 1)
    found = 0
    for text in texts:
        match = memory.elsewhere(Post(text=text), None, 80, 20)
        found += match is not None
        with memory.exclusive():
            memory.enter(Post(text=text), "one")
    print(
        f"copies: {found} of {len(texts)} are taken for copies of an earlier one ({found / len(texts):.2%})"
    )


if __name__ == "__main__":
    main()
