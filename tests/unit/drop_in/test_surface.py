"""What a program sees of the drop-in: twikit's client, whole, with nothing that leads round the pool."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest
from twikit.client.client import Client

from twikit_pool.accounts import MemoryAccounts
from twikit_pool.drop_in import PooledClient
from twikit_pool.errors import NotThroughPool
from twikit_pool.pool import ConnectionPriority, TwikitConnectionPool
from twikit_pool.sessions import TwikitSessionManager

PUBLIC = [name for name in vars(Client) if not name.startswith("_")]
REFUSED = {"login", "logout", "unlock", "set_cookies", "load_cookies", "get_streaming_session"}
WIRE = {"http", "_curl_session", "client_transaction", "captcha_solver", "spaces", "proxy"}
"""Attributes of twikit's client by which something could be sent without a lease."""


@pytest.fixture
def pool() -> TwikitConnectionPool:
    return TwikitConnectionPool(TwikitSessionManager(MemoryAccounts()))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_member_has_twikits_signature_and_says_what_it_does(name: str) -> None:
    theirs, ours = inspect.getattr_static(Client, name), inspect.getattr_static(PooledClient, name)
    assert inspect.getdoc(ours)
    if isinstance(theirs, property):
        assert ours is theirs
        return
    theirs_parameters = inspect.signature(theirs).parameters
    parameters = inspect.signature(ours).parameters
    assert list(parameters) == list(theirs_parameters)
    assert [each.default for each in parameters.values()] == [
        each.default for each in theirs_parameters.values()
    ]
    assert inspect.iscoroutinefunction(ours) is inspect.iscoroutinefunction(theirs)


def test_every_coroutine_of_twikits_client_is_replaced_by_one_that_takes_a_turn() -> None:
    coroutines = {name for name, each in vars(Client).items() if inspect.iscoroutinefunction(each)}
    assert len(coroutines) > 100
    assert coroutines <= set(vars(PooledClient))
    assert all(hasattr(vars(PooledClient)[name], "__wrapped__") for name in coroutines)


def test_twikit_touches_its_wire_only_in_methods_that_are_replaced_or_cannot_run() -> None:
    """Fails when a new twikit sends in a new place: look there before raising the version."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(Client)))
    methods = next(each for each in tree.body if isinstance(each, ast.ClassDef)).body
    touching = {
        method.name
        for method in methods
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and node.attr in WIRE
    }
    replaced = {"request", "_send", "get_cookies", "refresh_transaction"} | REFUSED
    without_a_wire = {
        "__init__",  # not called
        "proxy",  # reads `http`, which refuses
        "_stream",
        "_set_cookie",
        "_restore_cookies",
        "_cookies_for",
        "_remove_duplicate_ct0_cookie",
    }
    assert touching <= replaced | without_a_wire


async def test_what_leads_round_the_pool_is_refused_and_says_what_to_do_instead(
    pool: TwikitConnectionPool,
) -> None:
    client = PooledClient(pool, account="a")
    for name in sorted(WIRE - {"_curl_session", "captcha_solver"}):
        assert not hasattr(client, name)
        with pytest.raises(NotThroughPool, match=r".{20}"):
            getattr(client, name)
    with pytest.raises(NotThroughPool, match="leave the call out"):
        await client.login(auth_info_1="me", password="secret")
    with pytest.raises(NotThroughPool, match=r"connection\.client\.logout"):
        await client.logout()
    with pytest.raises(NotThroughPool, match="browser"):
        await client.unlock()
    with pytest.raises(NotThroughPool, match="import the file"):
        client.load_cookies("cookies.json")
    with pytest.raises(NotThroughPool, match="leave the call out"):
        client.set_cookies({"auth_token": "secret"})
    with pytest.raises(NotThroughPool, match="plain twikit"):
        await client.get_streaming_session({"topic"})
    with pytest.raises(AttributeError, match="serch_tweet"):
        _ = client.serch_tweet  # type: ignore[attr-defined]
    client.refresh_transaction()


def test_it_is_twikits_client_to_whoever_asks(pool: TwikitConnectionPool) -> None:
    client: Client = PooledClient(pool)
    assert isinstance(client, Client)
    assert client.captcha_solver is None
    assert client.rate_limit_remaining is None


def test_the_same_client_with_something_else(pool: TwikitConnectionPool) -> None:
    client = PooledClient(pool, priority=ConnectionPriority.HIGH, timeout=3)
    client.language = "ja"
    brand = client.with_account("brand_uk")
    assert (brand.account, brand.priority, brand.timeout) == ("brand_uk", ConnectionPriority.HIGH, 3)
    assert brand.language == "ja"
    assert client.account is None
    assert brand.with_priority(ConnectionPriority.LOW).priority is ConnectionPriority.LOW
    assert brand.with_timeout(None).timeout is None
    assert repr(brand) == "<PooledClient of brand_uk>"
    assert repr(client) == "<PooledClient of any account>"


def test_a_delegate_stays_with_the_account_that_may_act_for_him(pool: TwikitConnectionPool) -> None:
    with pytest.raises(NotThroughPool, match="name the account"):
        PooledClient(pool).set_delegate_account("7")
    client = PooledClient(pool, account="a")
    client.set_delegate_account("7")
    assert client.with_priority(ConnectionPriority.LOW)._act_as == "7"
    assert client.with_account("b")._act_as is None


def test_an_unbound_client_has_no_cookies_to_give(pool: TwikitConnectionPool) -> None:
    with pytest.raises(NotThroughPool, match="whose cookies"):
        PooledClient(pool).get_cookies()
