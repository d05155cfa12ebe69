"""Words that are not to be said: short lists of profanity, and the operator's own.

Words are compared whole, in small letters without accents, with the usual replacements of letters undone
(`sh1t`, `a$$hole`, `f u c k` is not). A list knows nothing of what is meant: it is no detector of hate, and
what it finds is for a person to judge.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from twikit_pool.errors import ConfigError
from twikit_pool.safety.checks.check import Context, Sighting, Text
from twikit_pool.safety.verdicts import Severity

MOST_BYTES: Final = 1_000_000
"""Of a file of words."""

MOST_WORDS: Final = 5
"""Words of a phrase."""

LANGUAGES: Final = ("en", "de", "es", "fr")
"""Those that there are lists for."""

_TOKEN: Final = re.compile(r"[^\W_](?:[\w$@!*'\u2019]*[\w$])?|[$@](?=\w)[\w$@]*\w")
_REPLACED: Final = str.maketrans("0134578$@!", "oieastbsai")
_LONG_DRAWN: Final = re.compile(r"(.)\1{2,}")


class Vocabulary:
    """Words and phrases with their weights.

    Args:
        name: of the list, for the rule.
        words: each word, phrase or `stem*`, and how much it weighs; None takes the check's weight.
    """

    quick = True

    def __init__(self, name: str, words: Mapping[str, Severity | None]) -> None:
        self._name = name
        self._whole: dict[tuple[str, ...], Severity | None] = {}
        self._stems: dict[str, Severity | None] = {}
        for entry, severity in words.items():
            if entry.endswith("*") and " " not in entry.strip():
                self._stems[folded(entry[:-1])] = severity
            else:
                self._whole[tuple(folded(each[0]) for each in _TOKEN.finditer(entry))] = severity
        self._longest = max(map(len, self._whole), default=1)
        self._shortest_stem = min(map(len, self._stems), default=0)

    def __len__(self) -> int:
        return len(self._whole) + len(self._stems)

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Which are said, and where; the longest phrase at each place."""
        tokens = [(each.start(), each.end(), _readings(each[0])) for each in _TOKEN.finditer(text.text)]
        at = 0
        while at < len(tokens):
            taken, severity = self._longest_at(tokens, at)
            if taken:
                start, end = tokens[at][0], tokens[at + taken - 1][1]
                if not text.in_link(start, end):
                    yield Sighting(
                        f"words.{self._name}",
                        "the post has a word that is not to be said"
                        if taken == 1
                        else "the post has words that are not to be said",
                        "say it in other words",
                        start,
                        end,
                        severity,
                    )
            at += max(taken, 1)

    def _longest_at(
        self, tokens: list[tuple[int, int, tuple[str, ...]]], at: int
    ) -> tuple[int, Severity | None]:
        for length in range(min(self._longest, len(tokens) - at), 1, -1):
            phrase = tuple(each[2][0] for each in tokens[at : at + length])
            if phrase in self._whole:
                return length, self._whole[phrase]
        for reading in tokens[at][2]:
            if (reading,) in self._whole:
                return 1, self._whole[reading,]
            for end in range(self._shortest_stem, len(reading) + 1) if self._stems else ():
                if reading[:end] in self._stems:
                    return 1, self._stems[reading[:end]]
        return 0, None


def _readings(word: str) -> tuple[str, ...]:
    """The ways in which a written word may be read: as it stands, and with replaced letters put back."""
    plain = folded(word)
    if plain.isdigit():
        return (plain,)
    restored = folded(word.translate(_REPLACED))
    squeezed = _LONG_DRAWN.sub(r"\1", restored)
    return tuple(dict.fromkeys((plain, restored, squeezed)))


@lru_cache(maxsize=8_192)
def folded(word: str) -> str:
    """A word in small letters without accents and apostrophes."""
    word = unicodedata.normalize("NFKD", word.casefold())
    return "".join(each for each in word if each not in "'\u2019*!" and unicodedata.category(each) != "Mn")


# ---------------------------------------------------------------- lists


def profanity(languages: Iterable[str]) -> Vocabulary:
    """The built-in lists of these languages: strong words weigh what the check does, mild ones are noted.

    Raises:
        ConfigError: there is no list of a language.
    """
    words: dict[str, Severity | None] = {}
    for language in languages:
        if language not in LANGUAGES:
            raise ConfigError(
                f"there is no list of profanity in {language!r}: there are {', '.join(LANGUAGES)}; give a "
                "file of your own as `words`"
            )
        text = files("twikit_pool.safety.words").joinpath(f"{language}.txt").read_text("utf-8")
        words |= dict(entries(text, f"{language}.txt"))
    return Vocabulary("profanity", words)


def own_words(path: Path) -> Vocabulary:
    """The operator's words, which are blocked unless their line says otherwise.

    Raises:
        ConfigError: the file cannot be read, or a line of it says what there is not.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path} has more than {MOST_BYTES:,} bytes: that is no list of words")
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no UTF-8 text") from None
    words = {word: severity or Severity.BLOCK for word, severity in entries(text, str(path))}
    return Vocabulary("own", words)


def entries(text: str, name: str) -> Iterator[tuple[str, Severity | None]]:
    """The lines of a list: a word, a phrase or a stem, and its weight after `=`; `#` begins a comment.

    Raises:
        ConfigError: a line is none.
    """
    for number, line in enumerate(text.splitlines(), 1):
        entry, _, weight = (part.strip() for part in line.partition("#")[0].partition("="))
        if not entry:
            continue
        parts = _TOKEN.findall(entry)
        if not 1 <= len(parts) <= MOST_WORDS or ("*" in entry.rstrip("*")):
            raise ConfigError(
                f"{name}, line {number}: give a word, a phrase of {MOST_WORDS} at most, or a stem*"
            )
        try:
            yield entry, Severity(weight) if weight else None
        except ValueError:
            raise ConfigError(f"{name}, line {number}: after = comes note, review or block") from None
