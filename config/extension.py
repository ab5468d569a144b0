"""Extension points: named implementations that any installed distribution may add.

Each is an entry-point group; our own implementations are declared the same way in ``setup.cfg`` and imported only when
a configuration names them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .values.quantity import show

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

REGISTRY = "callahead.registry"
TRANSPORT = "callahead.transport"
LOADBALANCE = "callahead.loadbalance"
CLUSTER = "callahead.cluster"
MERGER = "callahead.merger"
INTERCEPTOR = "callahead.interceptor"
ROUTER = "callahead.router"

# More names than this do not help who mistyped one.
_MOST_NAMES = 10
# What others call ours.
_OTHER_NAMES = {"grpc": "tri", "grpcs": "tri", "triple": "tri"}
# What Dubbo and dubbo-go have and nobody offers here, without dashes: none of these is a slip of the pen.
_DUBBOS = {
    CLUSTER: "adaptiveservice mock",
    LOADBALANCE: "aliasmethod consistenthashing interleavedweightedroundrobin",
    REGISTRY: "apollo consul etcd etcd3 etcdv3 eureka kubernetes mesh multicast multiple polaris redis "
    "serviceconsul servicediscoveryregistry sofa xds",
    ROUTER: "affinity app mock multicondition nacos polaris script service standardmesh static",
    TRANSPORT: "hessian http injvm jsonrpc memcached mock nativethrift redis rest rmi thrift webservice",
    INTERCEPTOR: "accesslog active activelimit adaptiveservice auth cache classloader clusterfilter collector "
    "compatible consumercontext deprecated echo exception executelimit executionlimit future generic genericimpl "
    "gracefulshutdown graceshutdown hystrixconsumer meshconsumer metrics monitor observationsender otelclienttrace "
    "pshutdown routerstatus seata sentinelconsumer spring springcloud timeout token tps tracing validation",
}


@cache
def _declared(group: str) -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # a quarter of the time that an import of the consumer would take

    return {point.name: point for point in entry_points(group=group)}


def available(group: str) -> tuple[str, ...]:
    """Names that *group* offers in this environment, sorted."""
    return tuple(sorted(_declared(group)))


def nearest(name: str, names: Iterable[str]) -> str:
    """Phrase a hint for an unknown *name*: the nearest of *names* if one is near, else the first ten; "" for none."""
    known = sorted(names)
    other = _OTHER_NAMES.get(name)
    near = [other] if other in known else difflib.get_close_matches(name, known, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f"known: {', '.join(known[:_MOST_NAMES])}{more}" if known else ""


def unknown(group: str, name: str) -> tuple[str, str]:
    """Say what is wrong with a *name* that *group* does not offer, and what to do.

    A name of Dubbo's is never taken for a slip of the pen: what it stands for is not what the nearest name does.
    """
    kind = group.removeprefix("callahead.").replace("transport", "protocol")
    known = available(group)
    if name.replace("-", "").replace("_", "").lower() in _DUBBOS.get(group, "").split():
        return f"{kind} {show(name)} is not supported yet", f"known: {', '.join(known)}" if known else ""
    return f"unknown {kind} {show(name)}", nearest(name, known)


def load(group: str, name: str) -> Any:
    """Import the implementation that *name* stands for in *group*.

    Raises:
        LookupError: *group* has no such name; the message ends with the nearest one.
        ImportError: The implementation needs a package that is not installed.
    """
    point = _declared(group).get(name)
    if point is None:
        raise LookupError("; ".join(filter(None, unknown(group, name))))
    return point.load()


def load_object(path: str) -> Any:
    """Import ``package.module:name`` and return what *name* (dots allowed) stands for.

    Raises:
        LookupError: *path* is not of that form, or the module has no such name; the message says which.
        ImportError: The module cannot be imported.
    """
    module_name, colon, attributes = path.partition(":")
    if not (colon and module_name and attributes):
        raise LookupError(f'"{path}" is not of the form "package.module:name"')
    found: Any = import_module(module_name)
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            hint = nearest(attribute, [name for name in dir(found) if not name.startswith("_")])
            raise LookupError(f'"{path}": {module_name} has no "{attribute}"' + (f"; {hint}" if hint else ""))
        found = getattr(found, attribute)
    return found
