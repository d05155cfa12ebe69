"""What was posted lately: in one process, in several, after a crash, and for how long."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from twikit_pool.errors import SafetyError
from twikit_pool.safety import Kind, Post, PostMemory

NEWS = Post(text="The bridge over the harbour opens again on Monday morning")
OTHER = Post(text="Bakers of the old town teach children how to bake without an oven")


class SetClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 6, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def enter(memory: PostMemory, post: Post, account: str) -> int:
    with memory.exclusive():
        return memory.enter(post, account)


def like(memory: PostMemory, text: str, account: str | None = "b") -> bool:
    return memory.elsewhere(Post(text=text), account, 80, 20) is not None


@pytest.mark.parametrize(
    "text",
    [
        NEWS.text.upper(),
        f"@reader {NEWS.text}!!! 🎉 #harbour https://example.com/1",
        NEWS.text.replace("Monday", "Tuesday"),
        "on Monday morning The bridge over the harbour opens again",
        "Th\u200be bri\u200bdge ov\u200ber th\u200be harbour opens again on Monday morning",
        "The brídge óver the hárbour ópens agáin on Mónday mórning",
        "ICYMI: the bridge over the harbour opens again on Monday morning",
    ],
)
def test_copies_are_found(text: str) -> None:
    memory = PostMemory()
    enter(memory, NEWS, "a")
    assert like(memory, text)
    assert not like(memory, text, "a")
    assert like(memory, text, None)


def test_other_posts_are_not() -> None:
    memory = PostMemory()
    enter(memory, NEWS, "a")
    assert not like(memory, OTHER.text)
    assert not like(memory, "Thank you!")
    enter(memory, Post(text="Good morning!"), "a")
    assert not like(memory, "Good morning!"), "too short to be compared"


def test_the_same_is_the_same_in_its_place() -> None:
    memory = PostMemory()
    enter(memory, Post(text="Thank you!", kind=Kind.REPLY, to="1"), "a")
    again = Post(text="thank  YOU!", kind=Kind.REPLY, to="1")
    assert memory.repeated(again, "a", 24) is not None
    assert memory.repeated(Post(text="Thank you!", kind=Kind.REPLY, to="2"), "a", 24) is None
    assert memory.repeated(again, "b", 24) is None


def test_what_was_withdrawn_may_be_said() -> None:
    memory = PostMemory()
    key = enter(memory, NEWS, "a")
    memory.withdraw(key)
    assert not like(memory, NEWS.text)
    assert len(memory) == 0


def test_what_somebody_found_not_to_be_there_is_forgotten() -> None:
    memory = PostMemory()
    enter(memory, NEWS, "a")
    assert memory.forget(NEWS, "b") == 0
    assert memory.forget(NEWS, "a") == 1
    assert not like(memory, NEWS.text)


def test_what_is_raised_within_undoes_what_was_entered() -> None:
    memory = PostMemory()

    def enter_and_fail() -> None:
        with memory.exclusive():
            memory.enter(NEWS, "a")
            raise KeyError

    with pytest.raises(KeyError):
        enter_and_fail()
    assert len(memory) == 0
    assert not like(memory, NEWS.text)
    enter(memory, NEWS, "a")
    assert like(memory, NEWS.text)


def test_posts_are_remembered_for_so_long() -> None:
    clock = SetClock()
    memory = PostMemory(days=30, clock=clock)
    enter(memory, NEWS, "a")
    clock.at += timedelta(days=29)
    assert like(memory, NEWS.text)
    clock.at += timedelta(days=2)
    enter(memory, OTHER, "a")
    assert not like(memory, NEWS.text)
    assert len(memory) == 1


def test_the_oldest_are_forgotten_beyond_the_most() -> None:
    memory = PostMemory(most=2)
    for number, post in enumerate((NEWS, OTHER, Post(text="Wind turbines fold like fans in a storm"))):
        enter(memory, post, f"a{number}")
    assert len(memory) == 2
    assert not like(memory, NEWS.text)


def test_another_process_sees_what_was_entered(tmp_path: Path) -> None:
    path = tmp_path / "private" / "safety.db"
    one, two = PostMemory(path), PostMemory(path)
    assert path.stat().st_mode & 0o777 == 0o600
    key = enter(one, NEWS, "a")
    assert like(two, NEWS.text)
    one.withdraw(key)
    assert not like(two, NEWS.text)
    enter(two, OTHER, "a")
    assert like(one, OTHER.text)
    one.close()
    two.close()
    three = PostMemory(path)
    assert like(three, OTHER.text)
    three.close()


def test_while_one_enters_another_waits(tmp_path: Path) -> None:
    path = tmp_path / "safety.db"
    one = PostMemory(path)
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    with one.exclusive(), pytest.raises(sqlite3.OperationalError):
        other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SafetyError, match="nothing is sent"):
        enter(one, NEWS, "a")
    other.execute("ROLLBACK")
    enter(one, NEWS, "a")
    other.close()
    one.close()


def test_a_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "safety.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(SafetyError, match="nothing is sent"):
        PostMemory(path)


def test_a_closed_memory_says_so() -> None:
    memory = PostMemory()
    memory.close()
    memory.close()
    with pytest.raises(SafetyError, match="closed"):
        like(memory, NEWS.text)
