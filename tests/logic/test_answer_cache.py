"""Kept answers: one maker at a time for a question, whatever happens to it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.answer_cache import AnswerCache


class Maker:
    """Makes an answer slowly, fails the first ``fails`` times, and knows how many made at once."""

    def __init__(self, fails: int = 0) -> None:
        self.calls = self.at_once = self.most_at_once = 0
        self._fails, self._lock = fails, threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            self.calls += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            failing = self.calls <= self._fails
        time.sleep(0.02)
        with self._lock:
            self.at_once -= 1
        if failing:
            raise OSError("the lake does not answer")
        return "the answer"


def asked(cache: AnswerCache, make: Maker) -> str:
    try:
        return cache.get_or_make("question", make)
    except OSError:
        return "an error"


def test_many_who_ask_the_same_wait_for_one_answer():
    cache, make = AnswerCache(), Maker()
    with ThreadPoolExecutor(16) as people:
        said = list(people.map(lambda _: asked(cache, make), range(64)))
    assert set(said) == {"the answer"} and make.calls == 1


@pytest.mark.parametrize("fails", [1, 5])
def test_after_an_error_the_next_makes_it_alone(fails: int):
    cache, make = AnswerCache(), Maker(fails)
    with ThreadPoolExecutor(16) as people:
        said = list(people.map(lambda _: asked(cache, make), range(64)))
    assert said.count("an error") == fails and make.calls == fails + 1
    assert make.most_at_once == 1


def test_the_least_recently_used_goes_first():
    cache, made = AnswerCache(entries=2), []
    for key in ("a", "b", "a", "c", "a", "b"):
        cache.get_or_make(key, lambda key=key: made.append(key) or key)
    assert made == ["a", "b", "c", "b"]
