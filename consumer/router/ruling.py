"""What rules make of one reference: where its calls may go, what they obey, and what its providers are taken to be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING

from callahead.config.extension import ROUTER, load
from callahead.config.policy import MethodPolicy, ReferencePolicy
from callahead.registry.api import ConfigurationCentre, Registry
from callahead.registry.models import Endpoint, ServiceKey, Snapshot

from .api import Router
from .routing import Routing
from .tag_router import FORCE, TAG, TagRouter

if TYPE_CHECKING:
    from .configurators import Change, Effect
    from .live import LiveRule, LiveRules
    from .telling import RuleLog

_CONFIGURATORS = "configurators"
_MESH = "mesh"
_MOST_TOLD = 3


def caller_of(policy: ReferencePolicy, service: ServiceKey, application: str) -> Mapping[str, str]:
    """Give what rules may say of a program that calls, by Dubbo's names: ``host``, ``application``, its parameters."""
    from callahead.registry.host import own_host  # which imports socket

    known = {
        "application": application,
        "group": service.group,
        "host": own_host(),
        "interface": service.interface,
        "path": service.interface,
        "protocol": "consumer",
        "service": str(service),
        "side": "consumer",
        "version": service.version,
        TAG: policy.tag,
    }
    return MappingProxyType({**policy.default.attachments, **{key: value for key, value in known.items() if value}})


def _told(changes: Iterable[Change]) -> str:
    """Name the rules that disable providers, the first few of many."""
    by = tuple(dict.fromkeys(change.origin for change in changes if change.is_disabled))
    more = [f"{len(by) - _MOST_TOLD} more"] if len(by) > _MOST_TOLD else []
    return ", ".join([*by[:_MOST_TOLD], *more])


class Ruling:
    """The rules of one reference: those of the configuration, and those that its registry keeps.

    Args:
        policy: Of the reference.
        service: What it calls.
        application: Name of the program, "" for none.
        random: The one source of chance.
        changed: Called when a rule of the registry has changed, on the registry's queue, once `renew` may be called.
        log: Tells what becomes of rules.

    Attributes:
        routing: Narrows the providers of calls.
    """

    def __init__(
        self,
        policy: ReferencePolicy,
        service: ServiceKey,
        application: str,
        random: Random,
        changed: Callable[[], None],
        log: RuleLog,
    ) -> None:
        self._log = log
        self._policy = policy
        self._service = service
        self._application = application
        self._changed = changed
        self._applications: frozenset[str] = frozenset()
        self._caller = caller_of(policy, service, application)
        self._live: LiveRules | None = None
        self._effects: tuple[Effect, ...] = ()
        self.routing = Routing(random)
        self.renew()

    def watch(self, registry: Registry) -> None:
        """Obey the rules that *registry* keeps, if it keeps any; those that stand there now before this returns.

        Raises:
            RegistryError: It cannot be read.
        """
        if isinstance(registry, ConfigurationCentre):
            from .live import LiveRules  # which a reference without a registry does without

            log = self._log.of(self._policy.registries)
            self._live = LiveRules(registry, self._service, self._application, self._caller, self._changed, log)
            self._live.follow(self._applications)

    def adopt(self, policy: ReferencePolicy) -> None:
        """Obey the rules of another configuration of the reference, beside those of the registry."""
        self._policy = policy
        self._caller = caller_of(policy, self._service, self._application)
        self.renew()

    def renew(self) -> None:
        """Obey the rules that are in force now."""
        live = [] if self._live is None else self._live.rules
        self._effects = tuple(one.rule for one in live if one.key.kind == _CONFIGURATORS)
        routers = [router for _, router in sorted(self._routers(live), key=lambda one: one[0])]
        if _MESH in {*(one.kind for one in self._policy.routers), *(one.key.kind for one in live)}:
            from .mesh_router import joined  # which a reference without such rules does without

            routers = joined(routers)
        is_idle = not routers and TAG not in self._caller and FORCE not in self._caller
        if not any(isinstance(router, TagRouter) for router in routers):
            routers.insert(0, TagRouter(None, self._caller))
        self.routing.obey(routers, is_idle=is_idle)

    def _routers(self, live: Iterable[LiveRule]) -> Iterator[tuple[int, Router]]:
        """Give the routers with their order; of equal ones those of the configuration come first."""
        for written in () if self._policy.is_local else self._policy.routers:
            kind = load(ROUTER, written.kind)
            for router in kind.routers(written.rule, self._caller, written.origin):
                yield kind.order, router
        for key, rule in live:
            if key.kind != _CONFIGURATORS:
                for router in load(ROUTER, key.kind).routers(rule, self._caller, key.key):
                    yield key.order, router

    def effective(self, policy: MethodPolicy, default: MethodPolicy) -> MethodPolicy:
        """Give what holds for a method of which the configuration says *policy*, and *default* of unnamed ones."""
        if not any(effect.overlays for effect in self._effects):
            return policy
        from callahead.config.overlay import lay_over

        overlays = [overlay for effect in self._effects for overlay in effect.overlays]
        return lay_over(policy, default, overlays)

    def seen(self, snapshot: Snapshot) -> Snapshot:
        """Give *snapshot* as the rules want it seen."""
        changes = [change for effect in self._effects for change in effect.changes]
        if not changes:
            return snapshot
        from .configurators import Changes

        obeyed = Changes(changes)
        kept = tuple(one for each in snapshot.endpoints if (one := obeyed.seen(each)) is not None)
        gone = len(snapshot.endpoints) - len(kept)
        reason = f"{snapshot.reason}; {gone} disabled by {_told(changes)}" if gone else snapshot.reason
        return replace(snapshot, endpoints=kept, reason=reason)

    def takes(self, endpoints: Iterable[Endpoint]) -> bool:
        """Note whose providers these are; True where the rules of other applications are to be watched now."""
        named = frozenset(filter(None, (endpoint.parameters.get("application") for endpoint in endpoints)))
        is_new = named != self._applications
        self._applications = named
        return is_new and self._live is not None

    def follow(self) -> None:
        """Watch the rules of the applications that were noted last. Not on the registry's queue, since it may wait."""
        if self._live is not None:
            self._live.follow(self._applications)

    @property
    def problems(self) -> list[str]:
        """What is wrong with rules of the registry, which are therefore not obeyed."""
        return [] if self._live is None else self._live.problems

    def close(self) -> None:
        """Hear no more of rules. Idempotent."""
        if self._live is not None:
            self._live.close()
