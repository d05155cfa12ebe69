from __future__ import annotations

from types import SimpleNamespace

import pytest
from twikit.client.client import Client

from twikit_pool.drop_in.makers import REMEMBERED, Makers, naming
from twikit_pool.errors import InvalidParameters

POST = naming(Client.create_tweet)


def test_ids_are_found_by_position_by_name_in_lists_and_as_numbers() -> None:
    makers = Makers()
    makers.remember(17, "a")
    makers.remember("card://18", "b")
    assert makers.account_for(POST, ("text", ["17"]), {}) == "a"
    assert makers.account_for(POST, (), {"media_ids": [17]}) == "a"
    assert makers.account_for(POST, ("text",), {"poll_uri": "card://18"}) == "b"
    assert makers.account_for(POST, ("17",), {}) is None
    assert makers.account_for(naming(Client.create_media_metadata), ("17",), {}) == "a"


def test_what_is_made_may_be_an_object() -> None:
    makers = Makers()
    makers.remember(SimpleNamespace(id="20"), "a")
    assert makers.account_for(naming(Client.delete_tweet), ("20",), {}) == "a"
    assert makers.account_for(naming(Client.favorite_tweet), ("20",), {}) is None


def test_nothing_made_is_nobodys() -> None:
    makers = Makers()
    makers.remember(None, "a")
    makers.remember("1", "b")
    assert makers.account_for(POST, ("text", None), {"poll_uri": None}) is None


def test_what_two_accounts_made_is_not_posted_together() -> None:
    makers = Makers()
    makers.remember("1", "a")
    makers.remember("2", "b")
    with pytest.raises(InvalidParameters, match="1 of a, 2 of b"):
        makers.account_for(POST, (), {"media_ids": ["1", "2"]})


def test_the_oldest_is_forgotten_first() -> None:
    makers = Makers()
    for number in range(REMEMBERED + 1):
        makers.remember(number, "a")
    names = naming(Client.delete_list)
    assert makers.account_for(names, ("0",), {}) is None
    assert makers.account_for(names, ("1",), {}) == "a"
    assert makers.account_for(names, (str(REMEMBERED),), {}) == "a"
