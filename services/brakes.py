"""What one process counts by itself: callbacks a second, files that stream, moves that are not settled yet.

No database is asked, so that counting costs next to nothing and works while the database does not. A second web process
counts for itself: what is said here holds in each of them. Safe to use from several threads.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

BURST = 2
MOST_PEOPLE = 10_000


class Tokens:
    """A bucket of tokens for each person: it holds ``BURST`` seconds' worth and fills again at a steady rate."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[int, tuple[float, float]] = {}
        self._told: dict[int, float] = {}

    def take(self, person_id: int, *, rate: float, now: float) -> float:
        """Take one token. 0.0 where there was one, else the seconds until there is one again."""
        most = rate * BURST
        with self._lock:
            if len(self._kept) >= MOST_PEOPLE:
                self._kept = {k: (n, at) for k, (n, at) in self._kept.items() if n + (now - at) * rate < most}
            left, at = self._kept.get(person_id, (most, now))
            left = min(most, left + max(0.0, now - at) * rate)
            taken = left >= 1.0
            self._kept[person_id] = (left - 1.0 if taken else left, now)
        return 0.0 if taken else (1.0 - left) / rate

    def first(self, person_id: int, *, now: float, every: float = 60.0) -> bool:
        """Is this refusal worth a word? Once in a while it is, however many there are."""
        with self._lock:
            told = self._told.get(person_id)
            if told is not None and now - told < every:
                return False
            self._told = {k: at for k, at in self._told.items() if now - at < every} | {person_id: now}
            return True


class Slots:
    """Things that only a few of may be open for one person at a time."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._open: Counter[int] = Counter()

    def take(self, person_id: int) -> Callable[[], None] | None:
        """Open one; call what is given when it is closed, once or more often. None where too many are open."""
        with self._lock:
            if self._open[person_id] >= self.most:
                return None
            self._open[person_id] += 1
        done: list[bool] = []

        def close() -> None:
            with self._lock:
                if not done:
                    done.append(True)
                    self._open[person_id] -= 1
                    if not self._open[person_id]:
                        del self._open[person_id]

        return close

    def open(self, person_id: int) -> int:
        """How many are open for a person now."""
        with self._lock:
            return self._open[person_id]


class Stream:
    """Pieces of a file that give their slot back when they end, break off, are closed or are forgotten."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._pieces: Iterator[str] = iter(())
        self._close = weakref.finalize(self, close)

    def fill(self, pieces: Iterator[str]) -> Stream:
        """The pieces that are to be read."""
        self._pieces = pieces
        return self

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            return next(self._pieces)
        except BaseException:
            self._close()
            raise

    def close(self) -> None:
        """Nobody reads on."""
        closing = getattr(self._pieces, "close", None)
        if closing is not None:
            closing()
        self._close()


@dataclass
class _Moves:
    """One person's moves by stretch of time: what all processes had settled when last asked, and what this one adds."""

    shared: Mapping[int, int] = field(default_factory=dict)
    own: Counter[int] = field(default_factory=Counter)
    asked_at: datetime | None = None
    failed_at: datetime | None = None
    settling: bool = False


class Tally:
    """Moves of one process between two visits to the database."""

    AGAIN = timedelta(seconds=1)
    AFTER_FAILURE = timedelta(seconds=30)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[int, _Moves] = {}

    def take(self, person_id: int, *, stretch: int, counts: Callable[[int], bool], most: int) -> Mapping[int, int]:
        """Count one move where the limit allows it, and give {}; else what was counted so far, by stretch."""
        with self._lock:
            mine = self._kept.setdefault(person_id, _Moves())
            used = Counter({s: n for s, n in mine.shared.items() if counts(s)})
            mine.own = Counter({s: n for s, n in mine.own.items() if counts(s)})
            used.update(mine.own)
            if used.total() >= most:
                return used
            mine.own[stretch] += 1
            return {}

    def to_settle(self, person_id: int, at: datetime, *, lot: int, refused: bool = False) -> Mapping[int, int] | None:
        """The moves to be settled now, which the caller settles; None where that can wait or did not work just now."""
        with self._lock:
            mine = self._kept.setdefault(person_id, _Moves())
            if mine.settling or _lately(mine.failed_at, at, self.AFTER_FAILURE):
                return None
            again = refused and not _lately(mine.asked_at, at, self.AGAIN)
            if mine.asked_at is not None and mine.own.total() < lot and not again:
                return None
            mine.settling = True
            return dict(mine.own)

    def settled(self, person_id: int, at: datetime, *, moves: Mapping[int, int], shared: Mapping[int, int]) -> None:
        """These moves stand in the database now, which knows of ``shared`` in all."""
        with self._lock:
            mine = self._kept.setdefault(person_id, _Moves())
            mine.own = Counter({s: n - moves.get(s, 0) for s, n in mine.own.items() if n > moves.get(s, 0)})
            mine.shared, mine.asked_at, mine.failed_at, mine.settling = shared, at, None, False

    def failed(self, person_id: int, at: datetime) -> None:
        """The database could not be asked: this process counts on alone for a while."""
        with self._lock:
            mine = self._kept.setdefault(person_id, _Moves())
            mine.failed_at, mine.settling = at, False


@dataclass(frozen=True)
class Brakes:
    """All counts of one process."""

    callbacks: Tokens = field(default_factory=Tokens)
    files: Slots = field(default_factory=lambda: Slots(2))
    moves: Tally = field(default_factory=Tally)


def _lately(when: datetime | None, at: datetime, span: timedelta) -> bool:
    """Was that less than ``span`` ago? A time that is still to come was not: the clock went back."""
    return when is not None and timedelta(0) <= at - when < span
