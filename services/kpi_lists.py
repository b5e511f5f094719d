"""What the lists brought: the newest one that ended, replayed in the viewer's rows, and the workspace's figures."""

from __future__ import annotations

from data.lake import LakeError
from services import model_past, model_replays
from services.errors import Refusal
from services.kpi_answers import Lists, Problem, Small
from services.kpi_desk import Desk
from services.kpi_models import Model, Models, card_of, not_ready
from services.model_answers import ReplayPart
from services.model_query import ModelQuery

LISTS = "What the lists brought"
NONE_YET = "No list has ended yet. Results appear here when one has."


def lists(desk: Desk, models: Models, figures: tuple[Small | Problem, ...]) -> Lists | None:
    """The newest list that ended, by model, rule and chance. None where the workspace names nothing to say."""
    model = models.lists
    if model is None:
        return Lists(LISTS, "", figures) if figures else None
    href, replayed = card_of(desk, model), _replayed(desk, model)
    if isinstance(replayed, Problem):
        return Lists(LISTS, f"{replayed.sentence} {replayed.next_step}".strip(), figures, href=href)
    if replayed is None:
        return Lists(LISTS, NONE_YET, figures, href=href)
    found = replayed.compared
    return Lists(LISTS, "", figures, found, replayed.source, href)


def _replayed(desk: Desk, model: Model) -> ReplayPart | Problem | None:
    """The replay that the model's card shows first."""
    if model.run is None:
        return not_ready(desk, model, LISTS)
    try:
        past = model_past.past_of(desk.viewer, desk.sources, model.use, model.run)
        return model_replays.replay(past, ModelQuery(model.name)) if past is not None else None
    except Refusal as refused:
        return Problem(refused.sentence, refused.next_step, LISTS)
    except LakeError as broken:
        return Problem(str(broken), "", LISTS)
