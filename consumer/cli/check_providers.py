"""Which providers the references of a configuration have, for ``callahead check``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from functools import partial
from types import TracebackType
from typing import Self

from callahead.config import ConfigError, ConsumerConfig, Problem, ReferencePolicy
from callahead.registry import (
    DirectRegistry,
    Endpoint,
    RecordingListener,
    Registry,
    RegistryError,
    RegistryUnavailable,
    ServiceKey,
    open_registry,
)
from callahead.registry.settings import named_at

from ..bootstrap import Consumer
from ..discovery.registries import Registries
from ..discovery.source import CalledMetadata
from .findings import CheckedReference, Findings


class KnownProviders(AbstractContextManager["KnownProviders"]):
    """Asks the registries of a configuration, each of which is made once.

    Args:
        config: Already checked.
        only_files: Leave out the registries that are no files, which would be connected to.
    """

    def __init__(self, config: ConsumerConfig, *, only_files: bool) -> None:
        self._config = config
        self._only_files = only_files
        self._registries = Registries(config, {}, partial(CalledMetadata, Consumer, config.application))
        self._stack = ExitStack()
        self._stack.callback(self._registries.close)

    def find(self, policy: ReferencePolicy, checked: CheckedReference, findings: Findings) -> tuple[Endpoint, ...]:
        """Give the providers of a reference, and note what is wrong with its registries."""
        names = policy.registries if not policy.urls else ("",)
        looked_at = [name for name in names if not name or not self._only_files or self._is_file(name)]
        found: list[Endpoint] = []
        reasons: list[str] = []
        for name in looked_at:
            try:
                endpoints, reason = self._ask(name, policy)
                found += endpoints
                reasons.append(reason)
            except ConfigError as error:
                findings.add(error.problems, checked)
            except RegistryError as error:
                findings.add(self._config.registries[name].error("address", str(error)).problems, checked)
        mine = tuple(one for one in found if one.protocol == policy.protocol)
        if not mine and policy.check and len(reasons) == len(names):
            findings.add([_at_source(policy, f"no provider is known: {', '.join(reasons)}")], checked)
        return mine

    def _is_file(self, name: str) -> bool:
        return self._config.registries[name].address.startswith("file:")

    def _ask(self, name: str, policy: ReferencePolicy) -> tuple[tuple[Endpoint, ...], str]:
        listener = RecordingListener()
        key = ServiceKey(policy.interface, policy.group, policy.version)
        registry = self._registries.seen(name, policy) if name else DirectRegistry.of(policy)
        with closing(self._stack.enter_context(closing(registry)).subscribe(key, listener)):
            snapshot = listener.snapshots[-1]
        if not snapshot.is_known and not snapshot.endpoints:
            raise RegistryUnavailable(snapshot.reason.removesuffix(named_at(self._config.registries[name])))
        return snapshot.endpoints, snapshot.reason

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()


def _at_source(policy: ReferencePolicy, text: str, hint: str = "") -> Problem:
    """Place *text* at the setting that says where the providers of a reference are."""
    attribute = next((one for one in ("urls", "registries", "interface") if one in policy.origins), "interface")
    return policy.problem(attribute, text, hint)


def problem_of_provider(policy: ReferencePolicy, endpoint: Endpoint, text: str, hint: str = "") -> Problem:
    """Say what is wrong with one provider of a reference, where that says where its providers are."""
    return _at_source(policy, f"{endpoint}: {text}", hint)


def problems_of_addresses(config: ConsumerConfig) -> Iterator[Problem]:
    """Ask the registries themselves, which know their own settings; none is connected to."""
    makers: list[Callable[[], Registry]] = [
        *(partial(open_registry, policy) for policy in config.registries.values()),
        *(partial(DirectRegistry.of, policy) for policy in config.references.values() if policy.urls),
    ]
    for make in makers:
        try:
            make().close()
        except ConfigError as error:
            yield from error.problems
