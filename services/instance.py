"""The instance folder before anything runs in it: it can be written to, its database is current, its people are there.

``is_ready`` is a look at one small file, so that a second start takes no time.
"""

from __future__ import annotations

import errno
import hashlib
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from services import locks
from services.settings import Settings

MIGRATIONS = Path(__file__).resolve().parent.parent / "data" / "migrations" / "versions"


class InstanceProblem(Exception):
    """Why nothing can run in this instance, in one sentence with what to do."""


def check_writable(settings: Settings) -> None:
    """Make the folder where it is missing. Raises ``InstanceProblem`` where it cannot be written to."""
    try:
        settings.instance.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.instance):
            pass
    except OSError as problem:
        file = isinstance(problem, FileExistsError | NotADirectoryError)
        step = "It is a file" if file else "Change its rights"
        joint = ": set" if file else ", or set"
        raise InstanceProblem(
            f"{settings.instance} must be a folder that can be written to ({problem.strerror or problem}). "
            f"{step}{joint} LAKELIGHT_INSTANCE to another folder."
        ) from problem


def is_there(settings: Settings) -> bool:
    """Was a Lakelight started in this folder before?"""
    file = _database_file(settings)
    return file is None or file.exists()


def check_there(settings: Settings) -> None:
    """Raises ``InstanceProblem`` where no Lakelight was started in this folder yet."""
    if not is_there(settings):
        raise InstanceProblem(
            f"There is no Lakelight in {settings.instance} yet. Start it once with `make run`, "
            "or set LAKELIGHT_INSTANCE to the folder it runs in."
        )


def check_port(settings: Settings) -> None:
    """Raises ``InstanceProblem`` where the web process could not listen."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with closing(socket.socket(*found[:3])) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(found[4])
    except (OSError, OverflowError) as problem:
        said = getattr(problem, "strerror", None) or problem
        step = f"End what runs there, or choose another one: PORT={settings.port + 1} make run."
        if isinstance(problem, socket.gaierror) or getattr(problem, "errno", None) == errno.EADDRNOTAVAIL:
            step = "This machine has no such address: set LAKELIGHT_HOST to one of its own, such as 127.0.0.1."
        elif isinstance(problem, PermissionError):
            step = "Choose a port from 1024 on: PORT=8050 make run."
        raise InstanceProblem(f"Port {settings.port} of {settings.host} cannot be used ({said}). {step}") from problem


def is_ready(settings: Settings) -> bool:
    """Was this instance prepared by this version of the code for this workspace?"""
    try:
        return is_there(settings) and _mark(settings).read_text() == _state(settings)
    except OSError:
        return False


def prepare(settings: Settings, say: Callable[[str], None]) -> None:
    """Check the workspace, bring the database to the newest revision, and add the demo's people in demo mode.

    Raises ``InstanceProblem``, ``WorkspaceMistakes``.
    """
    from services import demo_people
    from services.sources import open_sources

    check_writable(settings)
    with locks.held(settings.instance, locks.MIGRATION, wait=True):
        if is_ready(settings):
            return
        with _readable(settings), closing(open_sources(settings)) as sources:
            sources.store.migrate()
            made = demo_people.create_demo_people(sources) if settings.demo else 0
        if made:
            say(f"{made} demo accounts made; their passwords are in {settings.instance / 'demo-accounts.json'}.")
        _mark(settings).write_text(_state(settings))


@contextmanager
def _readable(settings: Settings) -> Iterator[None]:
    """What a database that cannot be used says, in a sentence."""
    from alembic.util.exc import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except CommandError as problem:
        raise InstanceProblem(
            "The app database is of a newer Lakelight than this one. Update the code, or use another instance."
        ) from problem
    except SQLAlchemyError as problem:
        said = str(getattr(problem, "orig", None) or problem).splitlines()[0]
        raise InstanceProblem(
            f"The app database cannot be used ({said}). Check LAKELIGHT_DATABASE, or the file in {settings.instance}."
        ) from problem


def _mark(settings: Settings) -> Path:
    return settings.instance / "prepared"


def _state(settings: Settings) -> str:
    """What preparing depends on: the migrations, the workspace's files, which database, demo or not."""
    digest = hashlib.sha256(f"{settings.database}|{settings.demo}".encode())
    digest.update("|".join(sorted(p.name for p in MIGRATIONS.glob("*.py"))).encode())
    for file in sorted(settings.workspace.glob("*.yml")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _database_file(settings: Settings) -> Path | None:
    """The database's file, None where it is a server."""
    return Path(settings.database.removeprefix("sqlite:///")) if settings.database.startswith("sqlite:///") else None
