"""Posts that are made up, edits that leave what they say as it is, and others that only sound alike."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

_THEMES: Final = """
bridge harbour ferry pilot tide lighthouse anchor cargo crane dock sailor storm pier channel freight
school teacher pupils library lesson homework exam classroom playground term science reading bus trip
match goal striker keeper league referee stadium fans coach injury penalty season transfer cup captain
budget council tax minister vote debate report committee spending reform proposal deadline majority rule
garden tomato seeds compost rain greenhouse bees orchard harvest soil roots pruning frost hedge
concert choir violin stage rehearsal album drummer tickets festival singer encore piano tour audience
release update bug feature version server login password screen search button menu account storage
hospital nurse clinic vaccine patient doctor ward treatment waiting surgery recovery ambulance test
train platform timetable delay track signal carriage conductor ticket station engineer tunnel freight
bread oven flour bakery dough butter recipe kitchen sugar crust breakfast jam apron yeast market
"""
_COMMON: Final = """
the a of to and in for on with at from by we our it is was will be have has this that they you
your all new more first last after before about today tomorrow week year people team city open
early late small great
"""
_VERBS: Final = """
opens closes starts returns needs brings finds shows helps wins loses moves grows turns keeps
builds repairs explains delays promises answers welcomes collects measures paints carries
follows replaces
"""

THEMES: Final = tuple(tuple(line.split()) for line in _THEMES.strip().splitlines())
COMMON: Final = tuple(_COMMON.split())
VERBS: Final = tuple(_VERBS.split())
FRAMES: Final = (
    "Good morning! Here is what you need to know about {}: {}",
    "Just in: {} {}. More on this story as we get it.",
    "Thank you for getting in touch about {}. {} Our team is here until six.",
    "Reminder: {} tonight at eight. {} See you there!",
    "{} Read the full report on our website. {}",
    "Weather for the weekend, {}: {} Stay safe out there.",
)
"""What posts of one house have in common without saying the same."""

FILLERS: Final = (
    "ICYMI:",
    "Breaking:",
    "Please share!",
    "Have a look.",
    "Don't miss it.",
    "Thread below.",
    "RT:",
)
EMOJI: Final = "🎉🔥👍✨📣🚀💡❤️👏"
INVISIBLE: Final = ("\u200b", "\u200d", "\u2060")


def sentence(rng: random.Random, shortest: int = 5, longest: int = 14) -> str:
    """Words of one theme, with those that are everywhere."""
    theme = rng.choice(THEMES)
    words = [
        rng.choice(COMMON if rng.random() < 0.45 else VERBS if rng.random() < 0.25 else theme)
        for _ in range(rng.randint(shortest, longest))
    ]
    if rng.random() < 0.2:
        words.insert(rng.randrange(len(words)), str(rng.randint(2, 2030)))
    return " ".join(words).capitalize()


def post(rng: random.Random) -> str:
    """A post: one to three sentences, a third of them in a frame that others have too."""
    if rng.random() < 0.33:
        return rng.choice(FRAMES).format(sentence(rng, 3, 7).lower(), sentence(rng) + ".")
    text = ". ".join(sentence(rng) for _ in range(rng.randint(1, 3))) + rng.choice(".!?")
    if rng.random() < 0.3:
        text += f" https://example.com/{rng.randrange(10**6)}"
    if rng.random() < 0.3:
        text += f" #{rng.choice(rng.choice(THEMES))}"
    return text[:270]


def _letters(rng: random.Random, text: str) -> str:
    """A typing error for each thirty letters."""
    letters = list(text)
    for _ in range(max(1, len(letters) // 30)):
        at = rng.randrange(len(letters) - 1)
        match rng.randrange(3):
            case 0:
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
            case 1:
                letters[at] = ""
            case _:
                letters[at] += rng.choice("aeiorst")
    return "".join(letters)


def _words(rng: random.Random, text: str) -> str:
    """One word in eight is another."""
    words = text.split()
    for _ in range(max(1, len(words) // 8)):
        words[rng.randrange(len(words))] = rng.choice(rng.choice(THEMES))
    return " ".join(words)


def _left_out(rng: random.Random, text: str) -> str:
    words = text.split()
    for _ in range(max(1, len(words) // 8)):
        del words[rng.randrange(len(words))]
    return " ".join(words)


def _order(rng: random.Random, text: str) -> str:
    """What was said last is said first."""
    words = text.split()
    at = rng.randrange(1, len(words))
    return " ".join(words[at:] + words[:at])


EDITS: Final[dict[str, Callable[[random.Random, str], str]]] = {
    "case": lambda rng, text: rng.choice((str.upper, str.lower, str.title))(text),
    "punctuation": lambda rng, text: (
        text.replace(".", rng.choice(("!", " -", "…", ""))) + rng.choice(("!!!", "?!"))
    ),
    "emoji": lambda rng, text: f"{rng.choice(EMOJI)} {text.replace(' ', f' {rng.choice(EMOJI)} ', 2)}",
    "hashtags": lambda rng, text: f"{text} #{rng.choice(COMMON)} #{rng.choice(VERBS)}",
    "mentions": lambda rng, text: f"@reader_{rng.randrange(999)} @news {text}",
    "links": lambda rng, text: f"{text.partition(' https://')[0]} https://example.org/{rng.randrange(10**9)}",
    "accents": lambda rng, text: text.translate(
        str.maketrans("aeiou", rng.choice(("áéíóú", "àèìòù", "äëïöü")))
    ),
    "invisible": lambda rng, text: text.replace("e", f"e{rng.choice(INVISIBLE)}"),
    "frame": lambda rng, text: f"{rng.choice(FILLERS)} {text} {rng.choice(FILLERS)}",
    "letters": _letters,
    "words": _words,
    "left out": _left_out,
    "order": _order,
}
"""Ways to make a post look like another without saying anything else."""
