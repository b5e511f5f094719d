"""The person at the terminal: whoever can read the instance's files may manage it, and the log says "operator".

They see no rows: what a person sees of the data is decided by the policy, which has no role for the terminal.
"""

from __future__ import annotations

from services.access import ACTIONS, Viewer

NAME = "operator"
ROWS = frozenset({"kpis:read", "leads:read", "leads:export", "what_if:run", "what_if:all_inputs"})


def operator() -> Viewer:
    """A viewer with every action of the house and none that shows rows."""
    return Viewer(
        person_id=0,
        name="The operator",
        email=NAME,
        role=NAME,
        role_label="Operator",
        home="/account",
        attributes={},
        grants=ACTIONS - ROWS,
        scopes={},
        fingerprint=NAME,
    )
