"""RateLimit: one visitor is held up without the others, an address and all together have limits of their own, and a minute ends."""

from types import SimpleNamespace
from typing import Any

import pytest

from hf_ctxscale.app.limits import ALL, AT_ONE_ADDRESS, RateLimit
from hf_ctxscale.study import UserError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def visitor(session: str, address: str = "10.0.0.1", forwarded: str = "") -> Any:
    return SimpleNamespace(
        session_hash=session, client=SimpleNamespace(host=address), headers={"x-forwarded-for": forwarded} if forwarded else {}
    )


def test_one_visitor_is_held_up_and_another_is_not() -> None:
    limit = RateLimit(2, what="readings", clock=Clock())
    for _ in range(2):
        limit.check(visitor("a"))
    with pytest.raises(UserError, match=r"2 readings a minute are allowed, and that many were made; try again in 60 seconds\."):
        limit.check(visitor("a"))
    limit.check(visitor("b"))


def test_after_a_minute_a_visitor_may_ask_again() -> None:
    clock = Clock()
    limit = RateLimit(1, what="readings", clock=clock)
    limit.check(visitor("a"))
    clock.now = 59.0
    with pytest.raises(UserError, match="in 1 seconds"):
        limit.check(visitor("a"))
    clock.now = 60.0
    limit.check(visitor("a"))


def test_new_sessions_from_one_address_share_a_limit() -> None:
    limit = RateLimit(1, what="readings", clock=Clock())
    for session in range(AT_ONE_ADDRESS):
        limit.check(visitor(str(session)))
    with pytest.raises(UserError):
        limit.check(visitor("another"))
    limit.check(visitor("another", address="10.0.0.2"))


def test_visitors_behind_one_proxy_are_told_apart_by_what_it_forwards() -> None:
    limit = RateLimit(1, what="readings", clock=Clock())
    for number in range(2 * AT_ONE_ADDRESS):
        limit.check(visitor(f"s{number}", forwarded=f"192.0.2.{number}"))


def test_an_address_that_a_visitor_makes_up_changes_nothing() -> None:
    limit = RateLimit(1, what="readings", clock=Clock())
    for number in range(AT_ONE_ADDRESS):
        limit.check(visitor(f"s{number}", forwarded=f"198.51.100.{number}, 192.0.2.1"))
    with pytest.raises(UserError):
        limit.check(visitor("one more", forwarded="198.51.100.99, 192.0.2.1"))


def test_many_addresses_together_fall_under_the_limit_of_all() -> None:
    limit = RateLimit(1, what="readings", clock=Clock())
    for number in range(ALL):
        limit.check(visitor(f"s{number}", forwarded=f"192.0.2.{number}"))
    with pytest.raises(UserError):
        limit.check(visitor("one more", forwarded="198.51.100.1"))


def test_visitors_who_left_are_forgotten() -> None:
    clock = Clock()
    limit = RateLimit(5, what="readings", clock=clock)
    for number in range(50):
        limit.check(visitor(f"s{number}", address=f"10.0.0.{number}"))
    clock.now = 61.0
    limit.check(None)
    assert set(limit._times) == {"all"}
