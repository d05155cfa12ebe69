from __future__ import annotations

from twikit_pool.pool.shelf import STALE, RankedGroup, Shelf

NOTHING, LIKES, SEARCH = 0, 2, 4
"""What items lack."""


def test_what_was_put_by_last_is_taken_first() -> None:
    shelf: Shelf[str] = Shelf()
    for item in "abc":
        shelf.put(item, NOTHING)
    assert [shelf.take(1) for _ in range(4)] == ["c", "b", "a", None]
    assert not shelf


def test_an_item_is_taken_only_for_a_need_that_it_serves() -> None:
    shelf: Shelf[str] = Shelf()
    shelf.put("no likes", LIKES)
    shelf.put("no search", SEARCH)
    assert shelf.take(LIKES | SEARCH) is None
    assert shelf.peek(LIKES | SEARCH) is None
    assert shelf.peek(SEARCH) == shelf.take(SEARCH) == "no likes"
    assert shelf.take(SEARCH) is None
    assert shelf.take(LIKES) == "no search"


def test_a_very_item_can_be_removed() -> None:
    shelf: Shelf[str] = Shelf()
    for item in "abc":
        shelf.put(item, LIKES)
    shelf.remove("c", LIKES)
    shelf.remove("a", LIKES)
    assert list(shelf) == ["b"]
    shelf.remove("b", LIKES)
    assert not shelf


def test_what_lies_there_longest_is_known_of_each_group() -> None:
    shelf: Shelf[str] = Shelf()
    for item, lacks in (("a", LIKES), ("b", SEARCH), ("c", LIKES), ("d", SEARCH)):
        shelf.put(item, lacks)
    assert set(shelf.oldest()) == {"a", "b"}
    assert shelf.peek(1) == "a"
    assert sorted(shelf) == ["a", "b", "c", "d"]


def test_a_lower_tier_comes_first() -> None:
    shelf: Shelf[str] = Shelf()
    shelf.put("spent", NOTHING, 3)
    shelf.put("fresh, without likes", LIKES, 0)
    shelf.put("half spent", NOTHING, 2)
    assert shelf.peek(LIKES) == shelf.take(LIKES) == "half spent"
    assert shelf.take(SEARCH) == "fresh, without likes"
    shelf.remove("spent", NOTHING, 3)
    assert not shelf


def test_a_ranked_group_gives_the_lowest_key_first_and_equals_in_order() -> None:
    keys = {"a": 3.0, "b": 1.0, "c": 2.0, "d": 1.0}
    shelf: Shelf[str] = Shelf(lambda: RankedGroup(keys.__getitem__))
    for item in keys:
        shelf.put(item, NOTHING)
    assert shelf.peek(1) == "a"
    assert [shelf.take(1) for _ in range(5)] == ["b", "d", "c", "a", None]


def test_a_ranked_group_reads_the_key_when_an_item_is_put_by() -> None:
    keys = {"a": 1.0, "b": 2.0}
    group = RankedGroup(keys.__getitem__)
    group["a"] = group["b"] = None
    keys["a"] = 9.0
    del group["a"]
    group["a"] = None
    assert [group.popitem()[0], group.popitem()[0]] == ["b", "a"]


def test_a_ranked_group_forgets_what_was_removed() -> None:
    group = RankedGroup[str](len)
    for item in ("a", "bb", "ccc"):
        group[item] = None
    del group["a"]
    assert group.popitem() == ("bb", None)
    assert list(group) == ["ccc"]


def test_a_ranked_group_forgets_what_was_taken_otherwise_now_and_then() -> None:
    group = RankedGroup[str](lambda item: int(item) * 7 % 50)
    for number in range(50):
        group[str(number)] = None
    most = 0
    for _ in range(1000):
        group["99"] = None
        del group["99"]
        most = max(most, len(group._heap))
    assert most == 2 * 51 + STALE, "not more, and not forgotten with each one"
    assert [int(group.popitem()[0]) * 7 % 50 for _ in range(50)] == list(range(50))
    assert not group
