"""One provider of every group, and one answer made of theirs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from callahead.config.extension import MERGER, load

from ..call.attempt import Attempt
from ..call.invocation import Done, Invocation, Outcome, blame
from ..call.provider import Provider
from ..errors import LocalProtocolError
from .api import ClusterParts
from .attempt import begin_attempt, candidates, nobody
from .failed import sum_up
from .mergers import Merger
from .tally import Tally
from .together import Together

_LOG = logging.getLogger("callahead.consumer.cluster")

LEFT_OUT = "left_out"
"""Counts groups whose provider has failed, so that its part is missing in the merged answer."""


class MergeableCluster:
    """Asks one provider of every ``group`` at once, and merges their answers by ``merger``.

    The parts of groups that fail are left out, logged and counted; where all fail the call does. One answer alone is
    not merged. Source: Dubbo ``MergeableClusterInvoker``; differs: without ``merger`` that asks one group only.
    """

    refuses_streams = True

    def __init__(self, parts: ClusterParts) -> None:
        self._parts = parts
        self._tally = Tally()

    def __call__(self, invocation: Invocation, done: Done) -> None:
        """Ask one of each group that there is at the moment."""
        groups = _groups(candidates(self._parts, invocation))
        if groups:
            _Merging(self._parts, invocation, done, self._tally).run(groups)
        else:
            done(Outcome(error=nobody(self._parts, invocation)))

    def counts(self) -> Mapping[str, int]:
        """Count the groups that were ``left_out``."""
        return self._tally.counts()


def _groups(providers: Sequence[Provider]) -> list[tuple[Provider, ...]]:
    found: dict[str, list[Provider]] = {}
    for provider in providers:
        found.setdefault(provider.endpoint.parameters.get("group", ""), []).append(provider)
    return list(map(tuple, found.values()))


@cache
def _merger(name: str) -> Merger:
    merger: Merger = load(MERGER, name)
    return merger


class _Merging(Together):
    """The attempts of one call."""

    __slots__ = ("_answers", "_left", "_places")

    def run(self, groups: Sequence[tuple[Provider, ...]]) -> None:
        self._answers: dict[int, Any] = {}
        self._places: dict[Attempt, int] = {}
        self._left = len(groups)
        for place, group in enumerate(groups):
            attempt = begin_attempt(self._parts, self._invocation, among=group, alone=False)
            if isinstance(attempt, Attempt):
                self._places[attempt] = place
                self.send(attempt)
            else:
                self._note(None, Outcome(error=attempt))

    def took(self, attempt: Attempt, outcome: Outcome) -> None:
        self._note(attempt, outcome)

    def _note(self, attempt: Attempt | None, outcome: Outcome) -> None:
        with self._lock:
            if outcome.error is not None:
                self.failures.append(outcome.error)
            elif attempt is not None:
                self._answers[self._places[attempt]] = outcome.value
            self._left -= 1
            is_last = self._left == 0
        if is_last:
            self.end(self._merged(), attempt)

    def _merged(self) -> Outcome:
        if not self._answers:
            return Outcome(error=sum_up(self._parts, self._invocation, self.failures))
        if self.failures:
            self._tally.add(LEFT_OUT, len(self.failures))
            text = "%s: %d of %d groups failed and are left out; the last: %s"
            total = len(self.failures) + len(self._answers)
            _LOG.warning(text, self._invocation.record.name, len(self.failures), total, self.failures[-1])
        answers = [self._answers[place] for place in sorted(self._answers)]
        return Outcome(answers[0]) if len(answers) == 1 else self._merge(answers)

    def _merge(self, answers: Sequence[Any]) -> Outcome:
        name = self._invocation.policy.merger
        try:
            return Outcome(_merger(name)(answers))
        except Exception as error:  # a merger may be anybody's
            text = f'the answers of {len(answers)} groups cannot be merged: merger "{name}" raised {error!r}'
            ours = LocalProtocolError(text, in_doubt=True)
            ours.__cause__ = error
            blame(ours, self._invocation.record, self._parts.clock)
            return Outcome(error=ours)
