"""The server under attack, started once: ``server``; ``anonymous()`` and ``sign_in("leitung")`` are browsers on it.

A case that spoils the state asks for ``own_server``: a copy of the instance with a server of its own, for one module.
The tests of what was written come last: they read what all the others left behind.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.attacks.canaries import Oracle
from tests.attacks.client import Client
from tests.attacks.server import Server, build_instance

if TYPE_CHECKING:
    from dash import Dash

LAST = "test_written.py"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What was written is read when everything was asked."""
    last = [item for item in items if item.path.name == LAST]
    items[:] = [item for item in items if item.path.name != LAST] + last


@pytest.fixture(scope="session")
def built_attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bakery with canaries, as it was before anybody attacked it. To be copied, never written."""
    return build_instance(tmp_path_factory.mktemp("canaries") / "instance")


@pytest.fixture(scope="session")
def server(built_attacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that the whole suite attacks."""
    base = tmp_path_factory.mktemp("attacked")
    shutil.copytree(built_attacked, base / "instance")
    made = Server(base / "instance", base, Oracle()).start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def own_server(built_attacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for the cases of one module that spoil its state."""
    base = tmp_path_factory.mktemp("own")
    shutil.copytree(built_attacked, base / "instance")
    made = Server(base / "instance", base, Oracle()).start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def addresses() -> Iterator[str]:
    """Addresses of this machine that nobody has come from yet: wrong passwords count by address."""
    return (f"127.{a}.{b}.{c}" for a, b, c in itertools.product(range(1, 250), range(1, 250), range(1, 250)))


@pytest.fixture
def anonymous(server: Server, addresses: Iterator[str]) -> Callable[[], Client]:
    """``anonymous()`` is a fresh browser from an address of its own."""
    return lambda: Client(server, address=next(addresses))


@pytest.fixture
def sign_in(server: Server, addresses: Iterator[str]) -> Callable[[str], Client]:
    """``sign_in("aussendienst")`` is a browser of somebody who is signed in."""
    return lambda who: Client(server, address=next(addresses)).sign_in(who)


@pytest.fixture(scope="session")
def application(server: Server) -> Dash:
    """The application in this process, for what it is made of: its addresses and its callbacks."""
    from dash._pages import PAGE_REGISTRY

    from app import create_app
    from services.settings import Settings

    settings = Settings.from_env({k: v for k, v in server.settings().items() if k.startswith("LAKELIGHT_")})
    PAGE_REGISTRY.clear()
    made = create_app(settings)
    made.server.test_client().get("/healthz")
    return made
