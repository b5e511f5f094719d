"""The operator's door: ``python cli.py --help``. Each mistake is one sentence on standard error; never a traceback."""

from __future__ import annotations

import click

from services import admissions, refresh, score_runs
from services.settings import from_environment
from services.sources import open_sources


@click.group()
def cli() -> None:
    """Lakelight at the terminal."""


@cli.command("refresh")
def refresh_all() -> None:
    """Publish, read the registry, admit and score now, without the worker."""
    settings = from_environment()
    settings.instance.mkdir(parents=True, exist_ok=True)
    sources = open_sources(settings)
    sources.store.migrate()
    refresh.refresh(sources, say=click.echo)
    synced = admissions.sync(sources)
    click.echo(synced.sentence)
    for one in synced.to_admit:
        registered, _, number = one.rpartition("/")
        click.echo(admissions.admit_version(sources, registered, number))
    for model in sources.workspace.models.models:
        wanted = score_runs.wanted(sources, model)
        if wanted is None:
            continue
        scored = score_runs.write_scores(sources, model, wanted)
        replay = score_runs.write_replay(sources, model, wanted)
        click.echo(score_runs.make_visible(sources, model, wanted, scored=scored, replay=replay))


if __name__ == "__main__":
    cli()
