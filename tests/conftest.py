"""What every test may ask for: the bakery (a small workspace) and the demo (marker ``demo``), each as a ``House``.

``bakery`` is shared and read only: a test that writes takes ``own_bakery``, a copy of its own. ``app``, ``client``,
``sign_in``, ``viewer`` and ``fire`` are the bakery's. Its people are named in ``tests.instances.BAKERY_PEOPLE``.
The application is imported by the fixtures that need it: a broken page must not stop the tests of pure logic.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from services.access import Viewer
    from services.sources import Sources
    from tests.house import Browser, Clock, House


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--browser", action="store_true", help="also run the tests that drive Chromium")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("BAKERY_BUILT"):
        items.sort(key=lambda item: bool({"bakery", "own_bakery"} & set(getattr(item, "fixturenames", ()))))
    if not config.getoption("--browser"):
        skipped = pytest.mark.skip(reason="drives Chromium; run with --browser")
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(skipped)


@pytest.fixture(scope="session")
def built_bakery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bakery's instance on disk: published, admitted, scored, with its people. To be copied, never written.

    ``BAKERY_BUILT`` names one that was built before: thousands of runs that each try one mutant need not build it anew.
    """
    from tests import instances

    if os.environ.get("BAKERY_BUILT"):
        return Path(os.environ["BAKERY_BUILT"])
    return instances.build_bakery(tmp_path_factory.mktemp("bakery"))


@pytest.fixture(scope="session")
def bakery(built_bakery: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The bakery as everybody shares it: read only, but signing in and looking leave their traces in its log."""
    from tests import instances

    house = instances.open_bakery(instances.copied(built_bakery, tmp_path_factory.mktemp("shared") / "bakery"))
    yield house
    house.sources.close()


@pytest.fixture
def own_bakery(built_bakery: Path, tmp_path: Path) -> Iterator[House]:
    """A copy of the bakery for one test that writes, breaks or moves the clock (``own_bakery.sources.clock.move``)."""
    from tests import instances

    house = instances.open_bakery(instances.copied(built_bakery, tmp_path / "bakery"))
    yield house
    house.sources.close()


@pytest.fixture(scope="session")
def bakery_sources(bakery: House) -> Sources:
    """The shared bakery's sources."""
    return bakery.sources


@pytest.fixture(scope="session")
def app(bakery: House) -> Any:
    """The shared bakery's Dash application."""
    return bakery.app


@pytest.fixture
def client(bakery: House) -> Browser:
    """An anonymous client of the bakery."""
    return bakery.client()


@pytest.fixture
def sign_in(bakery: House) -> Callable[[str], Browser]:
    """``sign_in("aussendienst")`` is a client of the bakery that is signed in."""
    return bakery.sign_in


@pytest.fixture
def viewer(bakery: House) -> Callable[[str], Viewer]:
    """``viewer("leitung")`` is what the bakery's policy makes of that person."""
    return bakery.viewer


@pytest.fixture
def fire(bakery: House) -> Callable[..., Any]:
    """``fire(client, output, inputs, state)`` posts one of the bakery's callbacks."""
    return bakery.fire


@pytest.fixture
def clock() -> Clock:
    """A clock of one's own."""
    from tests import instances
    from tests.house import Clock

    return Clock(instances.BAKERY_NOW)


@pytest.fixture(scope="session")
def demo() -> Iterator[House]:
    """The demo, built once into ``.demo-test/`` and kept there. Shared and read only; mark the test ``demo``."""
    from tests import instances

    house = instances.open_demo(instances.build_demo())
    yield house
    house.sources.close()


@pytest.fixture(scope="session")
def demo_sources(demo: House) -> Sources:
    """The demo's sources."""
    return demo.sources
