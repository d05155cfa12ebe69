"""Posts that X would refuse for their length, or for a character."""

from __future__ import annotations

from collections.abc import Iterator

from twikit_pool.safety.checks.check import Context, Sighting, Text
from twikit_pool.safety.text import LONG, USUAL, measure


class Length:
    """A post weighs 280 at most, and a long one 25,000; see `text.weight`."""

    quick = True

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Whether the post fits."""
        if not (text.text and text.main and text.post.published):
            return
        measured = measure(text.text, LONG if text.post.long else USUAL)
        if measured.valid:
            return
        if measured.length > measured.most:
            yield Sighting(
                "length.too_long",
                f"the post counts {measured.length:,} and X takes {measured.most:,}",
                "shorten it by what is marked"
                + ("" if text.post.long else ", or set long=true for an account that may post long"),
                measured.fits,
                len(text.text),
            )
        else:
            yield Sighting(
                "length.character",
                "X refuses a character of the post",
                "take the marked character out",
                measured.fits,
                measured.fits + 1,
            )
