from __future__ import annotations

import pickle
import subprocess
import sys

import msgspec
import pytest

import twikit_pool
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import ConfigError, TwikitPoolError
from twikit_pool.redaction import Cookies, Secret


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"max_connections": 0}, "max_connections must be at least 1, not 0"),
        ({"max_waiting": -1}, "max_waiting must be at least 0"),
        ({"acquire_timeout": 0}, "acquire_timeout must be more than 0 seconds"),
        ({"call_timeout": -1.0}, "call_timeout must be more than 0 seconds"),
        ({"head_starts": (0.0, 1.0, 2.0, 3.0, 4.0)}, "must be five durations that fall"),
    ],
)
def test_a_setting_out_of_range_says_so(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        ConnectionPoolConfig(**settings)  # type: ignore[arg-type]


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(msgspec.ValidationError, match="max_conections"):
        msgspec.convert({"max_conections": 5}, ConnectionPoolConfig)


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret("canary")
    shown = f"{secret} {secret!r} {[secret]}"
    assert "canary" not in shown
    assert secret.reveal() == "canary"
    assert secret == Secret("canary")
    assert hash(secret) == hash(Secret("canary"))
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)


def test_cookies_show_their_names_alone() -> None:
    cookies = Cookies(auth_token="canary", ct0="canary")
    assert str(cookies) == repr(cookies) == "Cookies(auth_token, ct0)"
    assert "canary" not in f"{cookies}"


def test_every_public_name_is_there() -> None:
    for name in twikit_pool.__all__:
        assert getattr(twikit_pool, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = twikit_pool.Nothing


def test_every_error_is_in_the_tree() -> None:
    import twikit_pool.errors as errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert all(issubclass(kind, TwikitPoolError) for kind in kinds)


def test_importing_the_package_is_cheap() -> None:
    """Nothing heavy comes with the name alone, so that the command line answers at once."""
    program = (
        "import sys, twikit_pool; print([m for m in ('twikit', 'httpx', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
