"""Settings that Dubbo's users know and that are refused by name, each with what to say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NOT_YET: Final = "not supported yet"
_JAVA: Final = "means something only inside a JVM"
_PROVIDER: Final = "is a provider's setting, and this is a consumer"
_LEGACY: Final = "has no effect in Dubbo either"


def _all(text: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), text)


_METHOD = {
    **_all(NOT_YET, "arguments"),
    **_all(_LEGACY, "deprecated reliable stat"),
    **_all(_PROVIDER, "executes weight"),
}
_INTERFACE = {
    **_METHOD,
    **_all(
        NOT_YET,
        "application auth authenticator callbacks config_center consumer init listener metadata_report "
        "monitor onconnect ondisconnect owner password prefer_serialization provider_namespace "
        "provider_port reconnect refer_async scope token unload_cluster_related username",
    ),
    **_all(_JAVA, "class_loader client injvm layer local proxy service_class singleton stubevent"),
}
_APPLICATION = {
    **_all(
        NOT_YET,
        "architecture auto_trust_serialize_class enable_empty_protection enable_file_cache environment "
        "mapping_retry_interval metadata_service_port metadata_service_protocol metadata_type organization owner "
        "parameters protocol register_consumer register_mode registry_ids serialize_check_status "
        "trust_serialize_class_level version",
    ),
    **_all(
        _JAVA,
        "compiler dump_directory dump_enable executor_management_mode logger qos_accept_foreign_ip qos_enable qos_host "
        "qos_port",
    ),
}

REFUSED: Final[Mapping[str, Mapping[str, str]]] = {
    "root": {
        **_all(
            NOT_YET,
            "config_center config_centers consumers metadata_report metadata_reports metrics monitor ssl tracing",
        ),
        **_all(_PROVIDER, "protocol protocols provider providers service services"),
        **_all(_JAVA, "module modules scan"),
    },
    "application": _APPLICATION,
    "registry": {
        **_all(
            NOT_YET,
            "accepts check cluster dynamic enable_empty_protection extra_keys group password port "
            "protocol register register_mode secure session simplified subscribe timeout use_as_config_center "
            "use_as_metadata_center username version wait",
        ),
        **_all(_JAVA, "client server transporter"),
    },
    "consumer": {
        **_INTERFACE,
        **_all(NOT_YET, "mesh_enable references share_connections shareconnections"),
        **_all(_JAVA, "corethreads queues refer_background refer_thread_num threadpool url_merge_processor"),
    },
    "reference": _INTERFACE,
    "method": _METHOD,
    "ssl": {},
    "retry_backoff": {},
    "hedge": {},
    "outlier": {},
    "batch": {},
    "callback_executor": {},
}

# Keys of Dubbo, dubbo-go or common sense that are another key here.
INSTEAD: Final[Mapping[str, str]] = {
    "attachments": 'write "parameters"',
    "callback_threads": 'write "callback_executor: {threads: ...}"',
    "filter": 'write "interceptors"',
    "oneway": 'write "return: false"',
    "params": 'write "parameters"',
    "registry_ids": 'write "registry"',
    "request_timeout": 'write "timeout"',
    "router": 'write "routers", with the rules themselves',
    "retry": 'write "retries: 0" for none',
    "tls": 'write "ssl"',
}
