"""Your account: who you are here, and what you may see and do."""

from __future__ import annotations

from typing import Any

from components import page as parts
from components import tables
from pages._screen import Page
from services.access import Viewer
from services.sources import Sources


def layout(viewer: Viewer, sources: Sources) -> Any:
    """Name, role, grants, and the rows of each dataset with the reason."""
    datasets = sources.workspace.lake.datasets
    rows = [
        [datasets[n].label, s.reason, ", ".join(sorted(datasets[n].columns[c].label for c in s.hidden)) or "none"]
        for n, s in viewer.scopes.items()
    ]
    held = [
        (sources.workspace.access.attributes[k].label, ", ".join(v))
        for k, v in viewer.attributes.items()
        if k in sources.workspace.access.attributes
    ]
    return [
        parts.head(viewer.name, [viewer.email, viewer.role_label]),
        parts.section("What you are", parts.facts([("Role", viewer.role_label), *held])),
        parts.section("What you may do", parts.facts([("Actions", ", ".join(sorted(viewer.grants)))])),
        parts.section("Which rows you see", tables.plain(["Dataset", "Rows", "Hidden columns"], rows)),
    ]


page = Page("/account", "Your account", "signed_in", layout)
