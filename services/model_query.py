"""What a model card is asked: which past list, how many rows of it, which tab, beside which version. The address is it.

``/models/campaign_response?run=18&first=150&versus=challenger``
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

from services import parameters
from services.errors import InvalidQuery

PATH = "/models"
EVERY = "*"
MOST = 10_000_000
LONGEST = 200
Tab = Literal["card", "versions"]


@dataclass(frozen=True)
class ModelQuery:
    """One view of a model's card.

    ``run`` picks a past list ("" the newest, ``EVERY`` all together); ``first`` is how many rows of it (None: the
    model's capacity); ``versus`` lays the challenger's figures beside.
    """

    name: str
    tab: Tab = "card"
    run: str = ""
    first: int | None = None
    versus: bool = False

    @classmethod
    def from_url(cls, name: str, params: Mapping[str, Any]) -> ModelQuery:
        """Read an address. Raises ``InvalidQuery`` naming the parameter that is wrong; unknown ones are ignored."""
        tab = _text(params, "tab") or "card"
        if tab not in ("card", "versions"):
            raise InvalidQuery(f"tab must be card or versions, got {tab[:40]!r}.", next_step="Choose a tab.")
        versus = _text(params, "versus")
        if versus not in ("", "challenger"):
            raise InvalidQuery(f"versus must be challenger, got {versus[:40]!r}.", next_step="Open the card again.")
        said = _text(params, "first")
        return cls(
            name=name,
            tab="versions" if tab == "versions" else "card",
            run=_text(params, "run"),
            first=whole_number(said) if said else None,
            versus=bool(versus),
        )

    def to_url(self) -> str:
        """The address of this view; what is usual is left out."""
        said = {
            "tab": "" if self.tab == "card" else self.tab,
            "run": self.run,
            "first": "" if self.first is None else str(self.first),
            "versus": "challenger" if self.versus else "",
        }
        query = urlencode({k: v for k, v in said.items() if v}, quote_via=quote)
        return f"{PATH}/{quote(self.name, safe='')}" + (f"?{query}" if query else "")


def whole_number(said: Any) -> int:
    """How many rows, from a text or a control. Raises ``InvalidQuery``."""
    text = str(said).strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 8 else 0
    if not 1 <= number <= MOST:
        raise InvalidQuery(
            f"The number of rows must be a whole number from 1 to {MOST:,}, got {text[:20] or 'nothing'}.",
            next_step="Enter how many come first.",
        )
    return number


def _text(params: Mapping[str, Any], name: str) -> str:
    return parameters.text(params, name, longest=LONGEST)
