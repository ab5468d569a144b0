"""From one configuration of a running consumer to another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from callahead.config import load_file
from callahead.config.change import refused
from callahead.config.errors import IN_CODE, ConfigError
from callahead.config.policy import ConsumerConfig, ReferencePolicy

from .discovery.registries import Registries
from .given import configuration_of
from .limit import Gate, limits_of
from .reference.ending import Runtime
from .reference.pipeline import Pipeline

Step = Callable[[], None]


def other_configuration(config: ConsumerConfig, given: Any) -> ConsumerConfig:
    """Return the configuration that *given* is or describes, or what the file of *config* says by now where it is None.

    Raises:
        ConfigError: It cannot be obeyed, or there is no file.
    """
    if given is not None:
        return configuration_of(given)
    if config.source == IN_CODE:
        text = "the consumer was made of settings in code, and there is no file to read again"
        raise ConfigError.one(text, hint="give reload the other settings")
    return load_file(config.source)


class Reloading:
    """The change of a consumer from one configuration to another; once it is made, nothing of it can fail.

    Args:
        old: What it runs by.
        new: What it shall run by.
        pipelines: Of the references in use, by name; none is made meanwhile.
        runtime: Shared by all callers.
        registries: Of the consumer.

    Attributes:
        changed: References in use for which something differs.

    Raises:
        ConfigError: *new* cannot be obeyed, or changes what is read only once; nothing has changed.
    """

    def __init__(
        self,
        old: ConsumerConfig,
        new: ConsumerConfig,
        pipelines: Mapping[str, Pipeline],
        runtime: Runtime,
        registries: Registries,
    ) -> None:
        if problems := refused(old, new, pipelines):
            raise ConfigError(problems)
        self.changed = tuple(name for name in pipelines if new.references[name] != old.references[name])
        before = runtime.gates
        if (limits := limits_of(new)) != limits_of(old):  # before chains are made, which lead to them
            runtime.gates = [Gate(limit, runtime.timer) for limit in limits]
        try:
            self._steps = [
                step
                for name, pipeline in pipelines.items()
                for step in _steps(pipeline, new.references[name], registries)
            ]
        except BaseException:
            runtime.gates = before
            raise
        self._steps.append(lambda: registries.know(new))

    def obey(self) -> None:
        """Let the calls that begin from now on obey the new configuration; once."""
        for step in self._steps:
            step()


def _steps(pipeline: Pipeline, written: ReferencePolicy, registries: Registries) -> Iterable[Step]:
    """Prepare what one reference has to do."""
    policy = replace(written, client=pipeline.policy.client)
    yield pipeline.adopt(policy)
    if policy.urls != pipeline.policy.urls:
        yield registries.readdressed(policy)
