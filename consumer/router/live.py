"""The rules that a registry keeps for one reference, as they change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from callahead.config.errors import ConfigError
from callahead.config.extension import ROUTER, load
from callahead.config.values.line import one_line
from callahead.registry.api import ConfigurationCentre, Subscription
from callahead.registry.errors import RegistryError
from callahead.registry.forking import fork_safe_lock
from callahead.registry.models import ServiceKey
from callahead.registry.url_lists import UrlsKey, watch_urls

if TYPE_CHECKING:
    from pydantic import BaseModel

    from callahead.registry.url import Url

    from .reading import Reading
    from .telling import RegistryLog

GROUP: Final = "dubbo"
_CONFIGURATORS: Final = "configurators"
_MESH: Final = "mesh"
_OF_MESH: Final = ".MESHAPPRULE"
_SCRIPT: Final = "script"
# Applications of providers whose rules are obeyed; a service is mostly that of one.
_MOST_APPLICATIONS: Final = 16
_MOST_PROBLEMS: Final = 5
_NO_SCRIPTS: Final = "scripts of a registry are not run here (conditions, tags and rules for meshes are obeyed)"


class RuleKey(NamedTuple):
    """Which rule is meant.

    Attributes:
        order: Rules of a lower one are obeyed first.
        kind: Of a router, ``configurators``, or ``script``, which is not obeyed.
        key: In the registry.
    """

    order: int
    kind: str
    key: str


def keys_of(service: ServiceKey, application: str) -> list[RuleKey]:
    """List the rules of a service, and of the program that calls it.

    Source: Dubbo's ``ServiceStateRouter``, ``AppStateRouter`` and ``RegistryDirectory``.
    """
    name = f"{service.interface}:{service.version}:{service.group}"
    keys = [RuleKey(140, "condition", f"{name}.condition-router"), RuleKey(2, _CONFIGURATORS, f"{name}.configurators")]
    if application:
        keys += [
            RuleKey(150, "condition", f"{application}.condition-router"),
            RuleKey(1, _CONFIGURATORS, f"{application}.configurators"),
        ]
    return keys


def keys_of_provider(application: str, own: str) -> list[RuleKey]:
    """List the rules of an application that provides the service; what it shares with our *own* is known already.

    Source: Dubbo's ``MeshRuleManager``, ``TagStateRouter``, ``ProviderAppStateRouter`` and ``AppScriptStateRouter``;
    differs: not those of the first provider alone.
    """
    keys = [
        RuleKey(-50, _MESH, f"{application}{_OF_MESH}"),
        RuleKey(100, "tag", f"{application}.tag-router"),
        RuleKey(200, _SCRIPT, f"{application}.script-router"),
    ]
    return keys if application == own else [*keys, RuleKey(145, "condition", f"{application}.condition-router")]


def lists_of(service: ServiceKey) -> dict[RuleKey, UrlsKey]:
    """List the folders in which rules of Dubbo 2.6 stand; those of the configuration centre go before them.

    Source: Dubbo's ``RegistryDirectory``.
    """
    name = service.interface
    return {
        RuleKey(0, _CONFIGURATORS, f"{name}/{_CONFIGURATORS}"): UrlsKey(name, _CONFIGURATORS),
        RuleKey(160, "condition", f"{name}/routers"): UrlsKey(name, "routers"),
    }


class LiveRule(NamedTuple):
    """One rule that is obeyed.

    Attributes:
        key: Which it is; of a URL it names that in place of the folder.
        rule: As the model of its kind; what configurators do.
    """

    key: RuleKey
    rule: Any


class LiveRules:
    """Watches the rules of one reference. A rule that does not parse leaves the one before it in force.

    Args:
        centre: Keeps them; where it has URLs of rules these are obeyed, too.
        service: What the reference calls.
        application: Name of this program, "" where it has none.
        caller: What is known of it, by Dubbo's names.
        changed: Called whenever another rule is in force, on the registry's queue; must not block.
        log: Tells what becomes of rules.
    """

    def __init__(
        self,
        centre: ConfigurationCentre,
        service: ServiceKey,
        application: str,
        caller: Mapping[str, str],
        changed: Callable[[], None],
        log: RegistryLog,
    ) -> None:
        self._centre = centre
        self._application = application
        self._caller = caller
        self._changed = changed
        self._log = log
        self._service = service
        self._lists = lists_of(service)
        self._fixed = [*keys_of(service, application), *self._lists]
        self._lock = fork_safe_lock()
        self._watched: dict[RuleKey, _Watched] = {}
        self._closed = False

    def follow(self, applications: Iterable[str]) -> None:
        """Watch the rules of the reference, and those of *applications*, which provide it, in place of others.

        Raises:
            RegistryError: The registry cannot be read.
        """
        named = sorted(set(filter(None, applications)))[:_MOST_APPLICATIONS]
        wanted = {*self._fixed, *(key for one in named for key in keys_of_provider(one, self._application))}
        with self._lock:
            if self._closed:
                return
            before = self._watched
            gone = [before[key] for key in before.keys() - wanted]
            new = {key: self._watch(key) for key in wanted - before.keys()}
            self._watched = {**{key: one for key, one in before.items() if key in wanted}, **new}
        for watched in gone:
            watched.close()
        for watched in new.values():
            watched.begin(self._centre)
        if any(watched.rules for watched in gone):
            self._changed()

    def _watch(self, key: RuleKey) -> _Watched:
        if key in self._lists:
            return _WatchedUrls(key, self._lists[key], self._service, self._caller, self._changed, self._log)
        kind = _WatchedScript if key.kind == _SCRIPT else _WatchedText
        return kind(key, self._caller, self._changed, self._log)

    @property
    def rules(self) -> list[LiveRule]:
        """Those that are in force, in the order in which they are obeyed."""
        return [rule for _, watched in sorted(self._watched.items()) for rule in watched.rules]

    @property
    def problems(self) -> list[str]:
        """What is wrong with rules that are not obeyed, each with its place."""
        return [watched.problem for _, watched in sorted(self._watched.items()) if watched.problem]

    def close(self) -> None:
        """Hear no more of them. Idempotent."""
        with self._lock:
            self._closed = True
            watched, self._watched = list(self._watched.values()), {}
        for one in watched:
            one.close()


class _Watched(ABC):
    """One rule, or a folder of them, as it was read last."""

    def __init__(self, key: RuleKey, caller: Mapping[str, str], changed: Callable[[], None], log: RegistryLog) -> None:
        self.key = key
        self.rules: tuple[LiveRule, ...] = ()
        self.problem = ""
        self._caller = caller
        self._changed = changed
        self._log = log
        self._subscription: Subscription | None = None
        self._is_closed = False

    def begin(self, centre: ConfigurationCentre) -> None:
        self._subscription = self._subscribed(centre)
        if self._is_closed:
            self._subscription.close()

    @abstractmethod
    def _subscribed(self, centre: ConfigurationCentre) -> Subscription: ...

    def close(self) -> None:
        self._is_closed = True
        if self._subscription is not None:
            with suppress(RegistryError):
                self._subscription.close()


class _WatchedText(_Watched):
    """One rule, which is a text."""

    _reading: Reading | None = None  # held so that no other reference reads the same text again

    def _subscribed(self, centre: ConfigurationCentre) -> Subscription:
        return centre.watch(GROUP, self.key.key, self._hear)

    def _hear(self, text: str | None, /) -> None:
        before = self.rules
        if text is None or not text.strip():
            self.rules, self.problem, self._reading = (), "", None
        else:
            self._read(text)
        if self.rules is not before:
            became = "obeyed from now on" if self.rules else "gone"
            self._log.info(self.key.key, text or "", f"rule {self.key.key}: {became}")
            self._changed()

    def _read(self, text: str) -> None:
        self._reading = _reading_of(self.key, text)
        try:
            rule, passed_over = _understood(self.key, self._reading, self._caller)
        except ConfigError as error:
            self.problem = _bounded([str(problem) for problem in error.problems])
            kept = "the one before it stays" if self.rules else "none is obeyed"
            self._warn(text, f"it cannot be understood, so {kept}: {self.problem}")
        else:
            self.rules, self.problem = (LiveRule(self.key, rule),), ""
            if passed_over:
                self._warn(text, _passing(passed_over))

    def _warn(self, text: str, what: str) -> None:
        self._log.warning(self.key.key, text, f"rule {self.key.key}: {what}")


class _WatchedScript(_WatchedText):
    """A rule that is a script: code of others, which is not run here. Only told, unless it is switched off."""

    def _read(self, text: str) -> None:
        self._reading = _reading_of(self.key, text)
        self.problem = f"{self.key.key}: {_NO_SCRIPTS}" if _is_on(self._reading) else ""
        if self.problem:
            self._warn(text, f"it is not obeyed, since {_NO_SCRIPTS}")


def _is_on(reading: Reading) -> bool:
    """Tell whether whoever wrote the rule wants it obeyed; of one that makes no sense nobody knows."""
    try:
        rule = reading.result().rule
    except ConfigError:
        return True
    return bool(rule.enabled and rule.valid)


class _Judged(NamedTuple):
    """What was made of one URL.

    Attributes:
        rank: Rules of a lower one are obeyed first.
        rule: None where it is not obeyed.
        problem: Why not.
    """

    rank: tuple[str, int]
    rule: LiveRule | None
    problem: str = ""


class _WatchedUrls(_Watched):
    """The rules of a folder, each a URL; one that cannot be understood costs none of the others.

    Args:
        key: Of the folder, as of `_Watched`.
        urls: Likewise, as the registry has it.
        service: Those for others are none of ours.
        caller: As of `_Watched`.
        changed: Likewise.
        log: Likewise.
    """

    def __init__(
        self,
        key: RuleKey,
        urls: UrlsKey,
        service: ServiceKey,
        caller: Mapping[str, str],
        changed: Callable[[], None],
        log: RegistryLog,
    ) -> None:
        super().__init__(key, caller, changed, log)
        self._urls = urls
        self._service = service
        self._judged: dict[str, _Judged] = {}

    def _subscribed(self, centre: ConfigurationCentre) -> Subscription:
        return watch_urls(centre, *self._urls, self._hear)

    def _hear(self, urls: tuple[Url, ...], /) -> None:
        if not urls and not self._judged:  # nearly always
            return
        from .url_rules import is_for

        old, ours = self._judged, {url.format(): url for url in urls if is_for(url, self._service, self._urls.category)}
        self._judged = {text: old.get(text) or self._judge(url) for text, url in ours.items()}
        judged = sorted(self._judged.values(), key=lambda one: one.rank)
        before, self.rules = self.rules, tuple(one.rule for one in judged if one.rule is not None)
        self.problem = _bounded([one.problem for one in judged if one.problem])
        if self.rules != before:
            listed = " ".join(self._judged)
            self._log.info(self.key.key, listed, f"rules {self.key.key}: {len(self.rules)} obeyed from now on")
            self._changed()

    def _judge(self, url: Url) -> _Judged:
        from .url_rules import condition_of_url, effect_of_url, origin_of, rank_of

        is_effect = self.key.kind == _CONFIGURATORS
        try:
            rank = rank_of(url, self._urls.category)
            rule = effect_of_url(url, self._caller) if is_effect else condition_of_url(url)
        except ConfigError as error:
            problem = _bounded([str(problem) for problem in error.problems])
            self._warn(url, f"one is passed over: {problem}")
            return _Judged(("", 0), None, problem)
        if is_effect and rule.passed_over:
            self._warn(url, f"of {origin_of(url)} {_passing(rule.passed_over)}")
        return _Judged(rank, LiveRule(self.key._replace(key=origin_of(url)), rule))

    def _warn(self, url: Url, what: str) -> None:
        text = url.format()
        self._log.warning(f"{self.key.key}/{text}", text, f"rules {self.key.key}: {what}")


def _passing(keys: Iterable[str]) -> str:
    return f"keys that have no effect here are passed over: {one_line(', '.join(keys))}"


def _bounded(problems: Sequence[str]) -> str:
    shown = [one_line(problem) for problem in problems[:_MOST_PROBLEMS]]
    more = len(problems) - len(shown)
    return "; ".join([*shown, *([f"and {more} more"] if more else [])])


def _reading_of(key: RuleKey, text: str) -> Reading:
    from .reading import reading_of  # which a registry without rules does without

    return reading_of(_model_of(key.kind), text, key.key, documents="documents" if key.kind == _MESH else "")


def _model_of(kind: str) -> type[BaseModel]:
    if kind == _CONFIGURATORS:
        from .configurators import Configurators

        return Configurators
    if kind == _SCRIPT:
        from .rules import Rule

        return Rule
    model: type[BaseModel] = load(ROUTER, kind).rule
    return model


def _understood(key: RuleKey, reading: Reading, caller: Mapping[str, str]) -> tuple[Any, Sequence[str]]:
    """Give the rule that was read, and the keys in it that have no effect."""
    read = reading.result()
    if key.kind == _CONFIGURATORS:
        from .configurators import effect_of

        effect = effect_of(read, caller, key.key)
        return effect, (*read.passed_over, *effect.passed_over)
    is_mesh = key.kind == _MESH
    rule = read.rule.model_copy(update={"application": key.key.removesuffix(_OF_MESH)}) if is_mesh else read.rule
    return rule, read.passed_over
