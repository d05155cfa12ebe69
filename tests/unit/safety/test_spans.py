"""Whatever a text is, what is said of it points into it, and takes no longer than it should."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from twikit_pool.safety import ContentSafetyFilter, Post
from twikit_pool.safety.memory import wording
from twikit_pool.safety.text import cashtags, hashtags, links, measure, mentions

PIECES = st.sampled_from(
    [
        *("http://", "https://", "example.com", "例え.テスト", "t.co/abc", "@name", "#tag", "$CASH"),
        *("\uff20", "\uff03", "\u200d", "\ufe0f", "👨\u200d👩\u200d👧", "é", "e\u0301", "\u202a"),
        *(" ", "\n", ".", "/", "(", ")", "?", "4111 1111 1111 1111", "fuck", "sh1t", "\ufffe"),
        *("auth_token=" + "a" * 40, "A" * 30, "https://\u0430pple.com", "xn--", "-", "_", "a@b.co"),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=200), st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=25).map("".join)
)

LOOKING = ContentSafetyFilter()


@settings(deadline=None)  # a loaded machine is no fault of ours
@given(TEXTS)
def test_marks_are_where_they_say(text: str) -> None:
    for link in links(text):
        assert text[link.start : link.end] == link.text
    for found, signs in ((hashtags(text), "#\uff03"), (cashtags(text), "$")):
        for mark in found:
            assert text[mark.start] in signs
            assert text[mark.start + 1 : mark.end] == mark.text
    for mark in mentions(text):
        assert text[mark.start] in "@\uff20"
        assert text[mark.start + 1 : mark.end] == mark.text + mark.rest


@settings(deadline=None)  # a loaded machine is no fault of ours
@given(TEXTS)
def test_marks_of_a_kind_do_not_overlap(text: str) -> None:
    for found in (links(text), hashtags(text), mentions(text), cashtags(text)):
        assert all(one.end <= other.start for one, other in pairwise(found))


@settings(deadline=None)  # a loaded machine is no fault of ours
@given(TEXTS)
def test_lengths(text: str) -> None:
    measured = measure(text)
    assert 0 <= measured.fits <= len(text)
    assert measured.valid == (bool(text) and measured.fits == len(text))
    if measured.fits:
        assert measure(text[: measured.fits]).length <= measured.most + 23  # a cut link is another, or none


@settings(deadline=None)  # a loaded machine is no fault of ours
@given(st.text(alphabet="abcdefghij ", max_size=300))
def test_plain_letters_weigh_one_each(text: str) -> None:
    assert measure(text).length == len(text)


@settings(deadline=None)  # a loaded machine is no fault of ours
@given(TEXTS)
def test_reasons_point_into_the_text(text: str) -> None:
    for reason in LOOKING.quick(Post(text=text)).reasons:
        assert reason.field == "content"
        if reason.span is not None:
            assert 0 <= reason.span.start < reason.span.end <= len(text)
        assert reason.suggestion
        assert "a" * 40 not in str(reason)


@settings(deadline=None)  # a loaded machine is no fault of ours
@given(TEXTS)
def test_wordings_are_stable(text: str) -> None:
    once = wording(text)
    assert wording(f"  {text}  ") == once
    assert "  " not in once
