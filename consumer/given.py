"""What a `Consumer` makes of what it is given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from random import Random
from typing import Any

from callahead.config import load_mapping
from callahead.config.errors import ConfigError
from callahead.config.policy import ConsumerConfig
from callahead.config.values.quantity import show

from .reference.ending import Runtime
from .runtime.callbacks import CallbackExecutor
from .runtime.elsewhere import Place
from .transport.api import Transport, TransportParts
from .transport.opened import Transports


def configuration_of(given: Any) -> ConsumerConfig:
    """Return the configuration that *given* is, or describes as the YAML would.

    Raises:
        ConfigError: It cannot be obeyed, or is the name of a file.
    """
    if isinstance(given, str | os.PathLike):
        text = f"a Consumer is made of settings, and {show(os.fspath(given))} is the name of a file"
        raise ConfigError.one(text, hint=f"write Consumer.from_file({os.fspath(given)!r})")
    return given if isinstance(given, ConsumerConfig) else load_mapping(given)


def callbacks_of(config: ConsumerConfig, place: Place | None) -> CallbackExecutor:
    """Make what runs callbacks, at *place* where one is given.

    Raises:
        TypeError: *place* is neither an executor nor an event loop.
    """
    policy = config.callback_executor
    blocks = policy.overflow == "block"
    callbacks = CallbackExecutor(policy.threads, queue=policy.queue, blocks=blocks, origin=policy.origin)
    if place is not None:
        callbacks.move_to(place)
    return callbacks


def transports_of(given: Mapping[str, Transport], runtime: Runtime, random: Random, application: str) -> Transports:
    """Make what has the transports: those that are *given*, and others once they are asked for."""
    parts = TransportParts(
        clock=runtime.clock,
        random=random,
        timer=runtime.timer,
        callbacks=runtime.callbacks,
        application=application,
    )
    transports = Transports(parts)
    transports.update(given)
    return transports
