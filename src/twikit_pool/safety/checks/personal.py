"""Personal data: numbers that nobody publishes on purpose, and addresses that some do.

All of it is by form, with check digits where there are any; names and postal addresses are not recognised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from twikit_pool.safety.checks.check import Context, Sighting, Text
from twikit_pool.safety.posts import Kind

_CARD: Final = re.compile(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w-])")
_CARD_BRANDS: Final = re.compile(r"4|5[1-5]|2[2-7]|3[47]|3[068]|6(?:011|4[4-9]|5)|35")
"""How numbers of cards begin: ISO/IEC 7812, as the brands publish them."""

_IBAN: Final = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_SSN: Final = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_EMAIL: Final = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?![\w-])",
    re.ASCII,
)
_PHONE: Final = re.compile(r"(?<![\w+])\+[1-9](?:[ ().-]{0,2}\d){7,14}(?!\w)")
"""International form alone: without the +, dates and scores look the same."""


class PersonalNumbers:
    """Numbers of payment cards (Luhn), bank accounts (IBAN, modulo 97) and US social security."""

    quick = True

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Where there are any."""
        words = text.text
        for found in _CARD.finditer(words) if any(each.isdigit() for each in words) else ():
            digits = re.sub(r"\D", "", found[0])
            if _CARD_BRANDS.match(digits) and luhn(digits) and not text.in_link(*found.span()):
                yield _seen("personal.card", "the number of a payment card", found)
        for found in _IBAN.finditer(words):
            if iban(found[0]):
                yield _seen("personal.bank_account", "the number of a bank account (IBAN)", found)
        for found in _SSN.finditer(words):
            if not text.in_link(*found.span()):
                yield _seen("personal.social_security", "a number as US social security has them", found)


class Contacts:
    """E-mail addresses and telephone numbers; not in direct messages, where people give their own."""

    quick = True

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Where there are any."""
        if text.post.kind is Kind.MESSAGE:
            return
        words = text.text
        for found in _EMAIL.finditer(words) if "@" in words else ():
            yield _seen("contacts.email", "an e-mail address", found)
        for found in _PHONE.finditer(words) if "+" in words else ():
            yield _seen("contacts.phone", "a telephone number", found)


def _seen(rule: str, what: str, found: re.Match[str]) -> Sighting:
    return Sighting(
        rule, f"the post has {what}", "take it out, unless it is meant for everyone", *found.span()
    )


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others: ISO/IEC 7812-1, annex B."""
    doubled = [int(each) * 2 for each in digits[-2::-2]]
    kept = [int(each) for each in digits[::-2]]
    return (sum(kept) + sum(each - 9 if each > 9 else each for each in doubled)) % 10 == 0 and len(
        set(digits)
    ) > 1


def iban(number: str) -> bool:
    """Whether it is valid by ISO 13616: modulo 97 is 1."""
    plain = number.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1
