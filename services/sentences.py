"""What a person at the terminal reads when something cannot be done: a sentence with what to do, never a traceback."""

from __future__ import annotations

import errno
import logging
import secrets
from collections.abc import Mapping

from data.lake import LakeError
from data.workspace import WorkspaceMistakes
from models.registry import RegistryProblem
from services.errors import Refusal
from services.instance import InstanceProblem
from services.locks import BUILD, WORKER, Taken
from services.score_tables import CannotScore
from services.settings import SettingsMistakes

log = logging.getLogger("lakelight.cli")
PLAIN = (InstanceProblem, LakeError, WorkspaceMistakes, RegistryProblem, CannotScore, SettingsMistakes)
TAKEN: Mapping[str, str] = {
    WORKER: "Another worker is at work in this instance. End it first; one worker does all of its work.",
    BUILD: "The demo is being built by another process. Wait until it is done.",
}


def of(problem: BaseException) -> str:
    """The sentence for a problem; what nobody expected goes into the log under a reference."""
    if isinstance(problem, Refusal):
        return f"{problem.sentence} {problem.next_step}".strip()
    if isinstance(problem, PLAIN):
        return str(problem)
    if isinstance(problem, Taken):
        return TAKEN.get(str(problem), "Another process does this just now. Wait until it is done.")
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT):
        where = f" ({problem.filename})" if problem.filename else ""
        return f"A file cannot be written: {problem.strerror}{where}. Make room or change its rights, then try again."
    reference = secrets.token_hex(3)
    log.error("reference %s", reference, exc_info=problem)
    return f"Something unexpected happened: {type(problem).__name__}. Details are in the log under {reference}."
