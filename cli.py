"""The operator's door: ``python cli.py --help``. No logic.

Each mistake is one plain sentence on standard error and an exit code above 0, never a traceback.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from services import interpreter

if __name__ == "__main__":
    interpreter.use_own(Path(__file__).resolve().parent, sys.argv)

import click

if TYPE_CHECKING:
    from datetime import datetime

    from services.settings import Settings
    from services.sources import Sources

ROOT = Path(__file__).resolve().parent
MARKS = {"ok": "ok   ", "watch": "watch", "bad": "BAD  "}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Lakelight: a company's models and data, for business people. Settings: docs/reference/settings.md."""


# ── running ───────────────────────────────────────────────────────────────────────────────────────


@cli.command()
def run() -> None:
    """Start web and worker together (and prepare the demo beside them); Ctrl-C ends both."""
    from services import running

    sys.exit(running.run(_settings(), ROOT, click.echo))


@cli.command()
def serve() -> None:
    """Start the web processes only."""
    from services import running

    settings = _settings()
    running.check(settings, click.echo)
    click.echo(f"Lakelight is served on {running.address(settings)}  (Ctrl-C ends it)")
    running.become_web(ROOT)


@cli.command()
def worker() -> None:
    """Start the worker only: publication, registry sync, admission, scoring."""
    import worker as door
    from services import instance, logs

    settings = _settings()
    instance.prepare(settings, click.echo)
    logs.to_file(settings.instance, "worker")
    door.work(click.echo)


@cli.group()
def demo() -> None:
    """The demo workspace."""


@demo.command("build")
@click.option("--lines", is_flag=True, help="Write lines, not a bar: others write to this terminal as well.")
def demo_build(lines: bool) -> None:
    """Build the demo's lake and train and register its models; goes on where it was broken off."""
    from demo import building
    from services import instance

    settings = _settings()
    instance.prepare(settings, click.echo)
    building.run(settings, building.Lines(click.echo) if lines else building.Bar(sys.stdout))
    if not lines:
        click.echo("The demo is built. `make run` publishes and scores it; so does `python cli.py refresh`.")


# ── work that the worker does as well ─────────────────────────────────────────────────────────────


@cli.command()
def refresh() -> None:
    """Publish what changed, read the registry, admit and score: all that is due."""
    with _sources() as sources:
        _work(sources, ("publish", ""), ("sync", ""), ("score", ""))


@cli.command()
@click.argument("model", default="")
def score(model: str) -> None:
    """Score and explain MODEL (all models without it) where a new run is due."""
    with _sources() as sources:
        _work(sources, ("score", model))


@cli.group()
def registry() -> None:
    """The model registry."""


@registry.command("sync")
def registry_sync() -> None:
    """Read the registry and admit what the workspace uses; says which aliases and models are missing or refused."""
    from services import admissions

    with _sources() as sources:
        _work(sources, ("sync", ""))
        problems = admissions.problems(sources)
    if problems:
        raise click.ClickException("\n".join(problems))


@cli.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500), help="How many.")
def jobs(limit: int) -> None:
    """List the newest jobs."""
    from services import jobs as job_service
    from services.operator import operator

    with _sources() as sources:
        job_service.settle_build(sources)
        click.echo(f"Times are those of {sources.workspace.lake.timezone}.")
        for job in job_service.list_jobs(operator(), sources, limit):
            at = f"{_local(sources, job.created_at):%Y-%m-%d %H:%M}"
            click.echo(f"{at}  {job.state_label:<10} {job.label} {job.subject}  {job.message}")


# ── people ────────────────────────────────────────────────────────────────────────────────────────


@cli.group()
def user() -> None:
    """People who may sign in."""


@user.command("add")
@click.argument("email")
@click.option("--name", required=True, help="The person's name.")
@click.option("--role", required=True, help="A role of access.yml.")
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="NAME=VALUE[,VALUE]",
    help="What row rules compare with, such as territory=North; may be repeated.",
)
def user_add(email: str, name: str, role: str, attributes: tuple[str, ...]) -> None:
    """Add a person and show the link where they choose their password, once."""
    from services import instance, people
    from services.operator import operator

    instance.prepare(_settings(), click.echo)
    with _sources() as sources:
        held = dict(_attribute(one) for one in attributes)
        link = people.add_person(operator(), sources, email=email, name=name, role=role, attributes=held)
        rowless = people.rowless(operator(), sources, email)
    click.echo(f"{email} chooses a password here, once, in the next three days: {link}")
    if rowless:
        click.echo(f"{rowless} Assign it on the page People.")


@user.command("list")
def user_list() -> None:
    """List everybody."""
    from services import people
    from services.operator import operator

    with _sources() as sources:
        for p in people.list_people(operator(), sources):
            held = "; ".join(f"{label}: {values}" for label, values in p.attributes)
            state = "" if p.active else "disabled"
            click.echo(f"{p.email:<36} {p.name:<28} {p.role_label:<16} {held} {state}".rstrip())


@user.command("disable")
@click.argument("email")
def user_disable(email: str) -> None:
    """Disable a person; their sessions end at once."""
    _set_active(email, False)


@user.command("enable")
@click.argument("email")
def user_enable(email: str) -> None:
    """Let a disabled person in again."""
    _set_active(email, True)


@user.command("factor")
@click.argument("email")
def user_factor(email: str) -> None:
    """Take a lost second factor away from a person; their sessions end."""
    from services import second_factor
    from services.operator import operator

    with _sources() as sources:
        second_factor.take_away(operator(), sources, _person(sources, email))
    click.echo(f"{email} signs in without a code; where the role asks for one, they set it up anew.")


@user.command("password")
@click.argument("email")
def user_password(email: str) -> None:
    """Show a link where a person chooses another password, once; a quarter of an hour is left for it."""
    from services import links, people
    from services.operator import operator

    with _sources() as sources:
        link, kind = people.new_link(operator(), sources, _person(sources, email))
    click.echo(f"{email} chooses a password here, once, in the next {links.LASTS_WORDS[kind]}: {link}")


# ── looking ───────────────────────────────────────────────────────────────────────────────────────


@cli.group()
def workspace() -> None:
    """The workspace's files."""


@workspace.command("check")
def workspace_check() -> None:
    """Check the workspace's files, and what stands behind them: data, models, people, freshness."""
    from data.workspace import read_workspace
    from services import instance
    from services import workspace_check as checks
    from services.access import ACTIONS, ADDRESSES
    from services.operator import operator

    settings = _settings()
    read_workspace(settings.workspace, actions=ACTIONS, addresses=ADDRESSES)
    click.echo(f"The files in {settings.workspace} have no mistake.")
    if not instance.is_there(settings):
        click.echo(f"Nothing runs in {settings.instance} yet, so only the files were checked.")
        return
    with _sources() as sources:
        found = checks.check(operator(), sources)
    for part in found.parts:
        click.echo(f"\n{part.label}")
        for line in part.lines:
            click.echo(f"  {MARKS[line.state]}  {line.sentence} {line.next_step}".rstrip())
    if found.state == "bad":
        raise click.ClickException("The workspace needs attention: see the lines marked BAD.")


@cli.group(invoke_without_command=True)
@click.option("--act", default="", help="One kind of act, such as leads.export.")
@click.option("--person", default="", help="One person's e-mail.")
@click.pass_context
def audit(context: click.Context, act: str, person: str) -> None:
    """Show the newest events of the audit log."""
    if context.invoked_subcommand:
        return
    from services import audit as audit_service
    from services.operator import operator

    with _sources() as sources:
        page = audit_service.events(operator(), sources, audit_service.AuditQuery(act=act, person=person))
        if not page.lines:
            click.echo("No event matches." if act or person else "Nothing is recorded yet.")
            return
        click.echo(f"Times are those of {sources.workspace.lake.timezone}.")
        for e in page.lines:
            denied = "" if e.allowed else f"DENIED {e.reason}"
            click.echo(
                f"{_local(sources, e.at):%Y-%m-%d %H:%M:%S}  {e.person:<36} {e.act:<18} {e.resource} {denied}".rstrip()
            )


@audit.command("verify")
def audit_verify() -> None:
    """Show whether every record of the audit log is what it was when it was written; names the first that is not."""
    from services import audit_seals
    from services.operator import operator

    with _sources() as sources:
        found = audit_seals.verify(operator(), sources)
    if found.problem:
        raise click.ClickException(found.problem)
    click.echo(f"{found.sealed:,} events are sealed and unchanged; the chain is anchored up to {found.anchored:,}.")


@audit.command("retain")
def audit_retain() -> None:
    """Empty the events that are over the time that access.yml names; the worker does so once a day."""
    from services import audit_retention
    from services.operator import NAME

    with _sources() as sources:
        if not sources.workspace.access.retention:
            click.echo("access.yml names no retention: every event is kept as it is.")
        elif not audit_retention.retain(sources, by=NAME, say=click.echo):
            click.echo("No event is over its time.")


@cli.command(hidden=True)
def reference() -> None:
    """Write docs/reference/cli.md to standard output."""
    click.echo(reference_markdown(), nl=False)


def reference_markdown() -> str:
    """The reference page of the commands, made from them."""
    head = (
        "# Commands\n\n"
        "Each command is `python cli.py …`, run from the project's root. What goes wrong is one sentence on the\n"
        "terminal and an exit code above 0. Which instance and which workspace it is about is said by the\n"
        "[settings](settings.md).\n"
    )
    return head + "".join(_described("", command) for name, command in sorted(cli.commands.items()))


def _described(before: str, command: click.Command) -> str:
    """A command, or each command of a group, as Markdown."""
    if command.hidden:
        return ""
    words = f"{before} {command.name}".strip()
    if isinstance(command, click.Group):
        return "".join(_described(words, one) for _, one in sorted(command.commands.items()))
    bare = click.Context(command)
    arguments = "".join(f" {p.make_metavar(bare)}" for p in command.params if isinstance(p, click.Argument))
    options = [f"* `{', '.join(p.opts)}`: {p.help}" for p in command.params if isinstance(p, click.Option)]
    said = " ".join((command.help or "").split())
    return "\n".join([f"\n## `{words}{arguments}`\n", said, *([""] if options else []), *options]) + "\n"


# ── what the commands share ───────────────────────────────────────────────────────────────────────


def _settings() -> Settings:
    from services.settings import from_environment

    return from_environment()


@contextmanager
def _sources() -> Iterator[Sources]:
    """The sources of an instance that was started before."""
    from services import instance, logs
    from services.sources import open_sources

    settings = _settings()
    instance.check_there(settings)
    instance.prepare(settings, click.echo)
    logs.to_file(settings.instance, "cli")
    sources = open_sources(settings)
    try:
        yield sources
    finally:
        sources.close()


def _local(sources: Sources, at: datetime) -> datetime:
    """A moment on the workspace's clock, as the pages show it."""
    return at.astimezone(ZoneInfo(sources.workspace.lake.timezone))


def _work(sources: Sources, *jobs: tuple[str, str]) -> None:
    from services import by_hand

    problems = [p for kind, subject in jobs if (p := by_hand.do(sources, kind, subject, click.echo))]
    if problems:
        raise click.ClickException("\n".join(problems))


def _set_active(email: str, active: bool) -> None:
    from services import people
    from services.operator import operator

    with _sources() as sources:
        people.set_active(operator(), sources, _person(sources, email), active)
    click.echo(f"{email} is {'enabled' if active else 'disabled'}.")


def _person(sources: Sources, email: str) -> int:
    from services import people
    from services.operator import operator

    found = [p.id for p in people.list_people(operator(), sources) if p.email == email.strip().lower()]
    if not found:
        raise click.ClickException(f"Nobody has the e-mail {email}. `python cli.py user list` shows everybody.")
    return found[0]


def _attribute(said: str) -> tuple[str, list[str]]:
    name, equals, values = said.partition("=")
    if not equals:
        raise click.ClickException(f"An attribute must look like territory=North,South, got {said!r}.")
    return name.strip(), [v.strip() for v in values.split(",") if v.strip()]


def _log_somewhere() -> None:
    """Into the instance's log where there can be one; never onto the terminal."""
    from services import logs

    logging.getLogger().addHandler(logging.NullHandler())
    with suppress(Exception):
        logs.to_file(_settings().instance, "cli")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; gives the exit code. What went wrong is said in a sentence."""
    try:
        cli.main(arguments, prog_name="python cli.py", standalone_mode=False)
    except click.exceptions.Abort:
        return 130
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    except SystemExit as over:
        return int(over.code or 0)
    except Exception as problem:
        from services import sentences

        _log_somewhere()
        click.echo(sentences.of(problem), err=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
