"""What a service may refuse with. Each message is one plain sentence that a person can act on.

Refusal
├── Forbidden        the viewer may not do this (the reason is logged, the page says what to ask for)
├── NotFound         not there, or not in the viewer's scope: both look the same
├── InvalidQuery     a parameter is not one of the allowed ones
│   └── InvalidField a value of a form is wrong; says which, so that the sentence can stand beside it
├── TooMuch          more than one person may take for now, with the seconds until it is possible again
├── NotReady         it is still being computed, with how long that may take
└── Unavailable      a source is down or damaged; the rest of the page lives on
"""

from __future__ import annotations


class Refusal(Exception):
    """A sentence for people; never a traceback."""

    def __init__(self, sentence: str, *, next_step: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.next_step = next_step


class Forbidden(Refusal):
    """The viewer lacks the action."""


class NotFound(Refusal):
    """Nothing there that this viewer may see."""


class InvalidQuery(Refusal):
    """A parameter of the address or a control has a value that is not allowed."""


class InvalidField(InvalidQuery):
    """A value of a form is not allowed. ``field`` names it."""

    def __init__(self, field: str, sentence: str, *, next_step: str = "") -> None:
        super().__init__(sentence, next_step=next_step)
        self.field = field


class TooMuch(Refusal):
    """A limit is reached. ``seconds`` says when it is possible again."""

    def __init__(self, sentence: str, *, next_step: str = "", seconds: int) -> None:
        super().__init__(sentence, next_step=next_step)
        self.seconds = seconds


class NotReady(Refusal):
    """The answer is being computed."""


class Unavailable(Refusal):
    """A source cannot answer now."""
