"""What is counted on a connection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """What happened on a connection that no call tells of.

    Attributes:
        unknown_answers: Answers to no running call: late, duplicate or made up; they reach nobody.
        bad_events: Events that mean nothing.
        connects: Times that a connection came about.
    """

    unknown_answers: int = 0
    bad_events: int = 0
    connects: int = 0
