"""The metadata of revisions: each is read once, and again after a while where that failed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from ..api import ApplicationRegistry
from ..errors import ProviderDataError, RegistryError
from ..instance import ServiceInstance
from .metadata import Metadata, MetadataSource, read_metadata, read_text

_log = logging.getLogger("callahead.registry")

# Instances of one revision know the same, so a few that cannot be asked are enough to try again later.
_MOST_ASKED: Final = 3
_FIRST_DELAY_S, _MOST_DELAY_S, _JITTER = 0.5, 30.0, 0.3
# The revision of an application that provides nothing.
_NOTHING: Final = "0"


class Revision(NamedTuple):
    """Which metadata are meant."""

    application: str
    revision: str

    def __str__(self) -> str:
        return f"revision {self.revision} of {self.application}"


@dataclass(slots=True)
class _Failed:
    """A revision whose metadata could not be had.

    Attributes:
        until: Monotonic second before which nobody is asked again.
        delay_s: How long that is, without jitter.
        problem: Why.
    """

    until: float
    delay_s: float
    problem: str


class Revisions:
    """Keeps the metadata of the revisions in use; not for several threads at once, but for `get`.

    Args:
        registry: Has the metadata of instances that keep them there.
        source: Asks the others.
        clock: Monotonic seconds.
        random: The one source of chance.
    """

    def __init__(
        self, registry: ApplicationRegistry, source: MetadataSource, clock: Callable[[], float], random: Random
    ) -> None:
        self._registry = registry
        self._source = source
        self._clock = clock
        self._random = random
        self._known: dict[Revision, Metadata] = {}
        self._failed: dict[Revision, _Failed] = {}

    def get(self, instance: ServiceInstance) -> Metadata | None:
        """Give what *instance* provides, or None while that is not known."""
        return self._known.get(_revision_of(instance))

    def is_settled(self, instance: ServiceInstance) -> bool:
        """Tell whether `get` gives all that it will give in the next moment."""
        revision = _revision_of(instance)
        return revision in self._known or revision in self._failed

    def problem_of(self, instance: ServiceInstance) -> str:
        """Say why *instance*'s metadata are not known; "" where they are, or have not been asked for."""
        failed = self._failed.get(_revision_of(instance))
        return "" if failed is None else failed.problem

    def keep(self, instances: Iterable[ServiceInstance]) -> None:
        """Forget every revision but those of *instances*."""
        used = set(map(_revision_of, instances))
        for table in (self._known, self._failed):
            for gone in table.keys() - used:
                del table[gone]

    def due(self, instances: Iterable[ServiceInstance]) -> dict[Revision, list[ServiceInstance]]:
        """Gather the *instances* whose revision is to be asked for now."""
        found: dict[Revision, list[ServiceInstance]] = {}
        now = self._clock()
        for instance in instances:
            revision = _revision_of(instance)
            failed = self._failed.get(revision)
            if revision not in self._known and (failed is None or failed.until <= now):
                found.setdefault(revision, []).append(instance)
        return found

    def pause(self) -> float | None:
        """Say in how many seconds something will be due; None where nothing will."""
        return max(0.0, min(each.until for each in self._failed.values()) - self._clock()) if self._failed else None

    def fetch(self, revision: Revision, instances: Sequence[ServiceInstance]) -> None:
        """Read the metadata of *revision*, which all *instances* have; may block for as long as the source does."""
        problems: list[str] = []
        most = 1 if revision in self._failed else _MOST_ASKED  # while one is asked, other revisions wait
        for instance in self._random.sample(instances, min(len(instances), most)):
            try:
                self._take(revision, self._read(instance))
            except RegistryError as error:
                problems.append(str(error))
            except Exception as error:  # what a peer sends may have any effect
                problems.append(f"{instance}: {type(error).__name__}: {str(error)[:200]}")
            else:
                return
        self._fail(revision, problems)

    def _read(self, instance: ServiceInstance) -> Metadata:
        if instance.revision == _NOTHING:
            return Metadata(())
        if not instance.revision:
            raise ProviderDataError(f"{instance} names no revision")
        if not instance.is_remote:
            return read_metadata(self._source.ask(instance), f"metadata of {instance}")
        source = f"metadata of {_revision_of(instance)}"
        text = self._registry.read_metadata(instance.application, instance.revision)
        if text is None:
            raise ProviderDataError(f"{source}: the registry has none")
        return read_text(text, source)

    def _take(self, revision: Revision, metadata: Metadata) -> None:
        if metadata.faults:
            _log.warning("%s: services that make no sense are passed over: %s", revision, metadata.faults)
        self._known[revision] = metadata
        self._failed.pop(revision, None)

    def _fail(self, revision: Revision, problems: Sequence[str]) -> None:
        before = self._failed.get(revision)
        delay = _FIRST_DELAY_S if before is None else min(before.delay_s * 2, _MOST_DELAY_S)
        problem = "; ".join(problems)
        if before is None or before.problem != problem:
            _log.warning("%s: what it provides is not known: %s", revision, problem)
        until = self._clock() + delay * self._random.uniform(1 - _JITTER, 1 + _JITTER)
        self._failed[revision] = _Failed(until, delay, problem)


def _revision_of(instance: ServiceInstance) -> Revision:
    return Revision(instance.application, instance.revision)
