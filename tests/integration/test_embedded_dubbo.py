"""An embedded provider over the dubbo protocol: what bare sockets, recorded Java consumers and a Consumer get."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from callahead.config.policy import SslPolicy
from callahead.consumer import Consumer
from callahead.consumer.codec.dubbo import EXCEPTION, NULL, VALUE, java_type_of, make_throwable
from callahead.consumer.codec.hessian2 import Int, JavaObject, java_array
from callahead.consumer.errors import (
    CallTimeout,
    ConnectionLost,
    LimitExceeded,
    RemoteError,
    RemoteProtocolError,
)
from callahead.consumer.testing import EmbeddedProvider, ProviderCall
from callahead.consumer.wire import (
    HeartbeatAnswer,
    ReadOnly,
    heartbeat_frame,
    request_frame,
)

from .dubbo_client import RawClient, outcome
