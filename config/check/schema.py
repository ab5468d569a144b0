"""A JSON Schema of the configuration, made from the models, so that an editor completes and checks keys."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

from ..extension import TRANSPORT, available
from ..read.keys import camel, dotted, kebab
from ..settings import PLACEHOLDER
from .declared import ONLY
from .listing import declaration, is_local, listing
from .models import GROUPS, RootModel

_DUBBO = "The whole configuration, as in Dubbo's own files"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Root keys that only hold anchors.
_ANCHORS: dict[str, Any] = {"^x-": {"description": "Anything: a place for YAML anchors"}}

# Groups of settings that may be a switch.
_SWITCHES = tuple(model for model in GROUPS.values() if model.place == "switch")
# What may stand there in place of a mapping depends on the place.
_SHAPED_BY_PLACE = ("Root", "SslModel", *(model.__name__ for model in _SWITCHES))
_SWITCH: dict[str, Any] = {"type": ["object", "boolean", "string"], "pattern": PLACEHOLDER}
# A key of these without a value is an error.
_NEVER_EMPTY = tuple(model.__name__ for model in GROUPS.values() if model.place == "mapping")

Schema = dict[str, Any]


def json_schema() -> Schema:
    """See `callahead.config.json_schema`."""
    root = RootModel.model_json_schema(by_alias=True)
    sections: Schema = root.pop("$defs")
    sections["Root"] = root
    nested = _add_declared(sections)
    _add_other_shapes(sections)
    for name, section in sections.items():
        if name in _SHAPED_BY_PLACE:
            section.pop("type", None)
        elif name not in _NEVER_EMPTY:
            section["type"] = ["object", "null"]
        _open_spellings(section)
    root["patternProperties"] = _ANCHORS
    return {
        "$schema": _DIALECT,
        "$id": f"urn:callahead:configuration:{version('callahead')}",
        "title": "callahead configuration",
        "description": "A callahead configuration, as the distributions installed beside callahead extend it",
        "if": {"type": "object", "required": ["dubbo"]},
        "then": {
            "properties": {"dubbo": {"type": ["object", "null"], **_ref("Root"), "description": _DUBBO}},
            "patternProperties": _ANCHORS,
            "additionalProperties": False,
        },
        "else": {"type": "object", **_ref("Root")},
        "$defs": {**sections, **nested},
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _add_declared(sections: Schema) -> Schema:
    """Put the settings that transports declare in their places, and give the types that these refer to."""
    nested: Schema = {}
    for section, name in (("consumer", "ConsumerModel"), ("reference", "ReferenceModel")):
        ours = sections[name]["properties"]
        sections[name]["properties"] = {
            key: _either([_declared(one.protocol, nested)[key] for one in theirs]) if theirs else ours[key]
            for key, theirs in listing(section).items()
        }
    return nested


def _declared(protocol: str, nested: Schema) -> Schema:
    schema = declaration(protocol).written.model_json_schema(ref_template=f"#/$defs/{protocol}.{{model}}")
    nested |= {f"{protocol}.{name}": kind for name, kind in schema.get("$defs", {}).items()}
    properties: Schema = schema["properties"]
    return properties


def _either(schemas: list[Schema]) -> Schema:
    """Describe a key that several transports declare, each with its own values."""
    first, *others = schemas
    if not others:
        return first
    texts = [schema["description"] for schema in schemas]
    told = {"description": "; ".join(texts), ONLY: [schema[ONLY] for schema in schemas]}
    values = [{key: value for key, value in schema.items() if key not in told} for schema in schemas]
    alike = all(one == values[0] for one in values)
    return {**values[0], **told} if alike else {"anyOf": schemas, **told}


def _add_other_shapes(sections: Schema) -> None:
    """Allow, beside the shape of the models, whatever `shape` brings into it."""
    for model in _SWITCHES:
        for name in ("MethodModel", "ReferenceModel", "ConsumerModel"):
            _let_be_a_switch(sections[name]["properties"], model.key, model.__name__)
    sections["NamedMethod"] = _with(sections["MethodModel"], "name", "Name of the method", required=True)
    sections["SingleRegistry"] = _with(sections["RegistryModel"], "id", "Id of the registry", required=False)
    root, reference = sections["Root"]["properties"], sections["ReferenceModel"]["properties"]
    root["registry"] = {**_ref("SingleRegistry"), "description": "The only registry"}
    root["reference"] = root["references"]
    _require_interfaces(sections["Root"], sections["ReferenceModel"])
    # Keywords of objects, of arrays and of texts leave one another alone, so that no anyOf is needed.
    reference["methods"] |= {"type": ["object", "array", "null"], "items": _ref("NamedMethod")}
    for properties in (reference, sections["ConsumerModel"]["properties"]):
        properties["registries"] = properties["registry"]
        properties["payload"] = {**properties["max_request_bytes"], "description": "Largest request and response"}
    for name in ("ReferenceModel", "ConsumerModel", "RegistryModel", "SingleRegistry"):
        _let_be_a_switch(sections[name]["properties"], "ssl", "SslModel")
    application = sections["ApplicationModel"]["properties"]
    application["shutwait"] = application["shutdown_timeout"]


def _let_be_a_switch(properties: Schema, key: str, model: str) -> None:
    properties[key] = {**_ref(model), **_SWITCH, "description": properties[key]["description"]}


def _require_interfaces(root: Schema, reference: Schema) -> None:
    """Ask for what a reference needs whose protocol, its own or else the consumer's, is no local one."""
    local = [protocol for protocol in available(TRANSPORT) if is_local(protocol)]
    is_here: Schema = {"type": "object", "properties": {"protocol": {"enum": local}}, "required": ["protocol"]}
    elsewhere: Schema = {"if": is_here, "else": {"required": reference.pop("required")}}
    root["if"] = {"properties": {"consumer": is_here}, "required": ["consumer"]}
    root["then"] = _of_references({"if": {"required": ["protocol"]}, "then": elsewhere})
    root["else"] = _of_references(elsewhere)


def _of_references(schema: Schema) -> Schema:
    return {"properties": {key: {"additionalProperties": schema} for key in ("references", "reference")}}


def _with(section: Schema, key: str, description: str, *, required: bool) -> Schema:
    needs = [*section.get("required", []), *([key] if required else [])]
    word = {"type": "string", "minLength": 1, "description": description}
    return {**section, "properties": {**section["properties"], key: word}, "required": needs}


def _open_spellings(section: Schema) -> None:
    """Allow kebab-case, camelCase and dots beside the spelling that editors complete."""
    section.pop("title", None)
    section["properties"] = {key: _tidy(schema) for key, schema in section["properties"].items()}
    others = {key: schema for key, schema in section["properties"].items() if "_" in key}
    if others:
        section["patternProperties"] = {
            f"^({kebab(key)}|{camel(key)}|{re.escape(dotted(key))})$": schema for key, schema in others.items()
        }


def _tidy(schema: Schema) -> Schema:
    """Leave out a made-up title, and the default of None that stands for "not set"; allow an empty mapping."""
    tidy = {key: value for key, value in schema.items() if key not in {"title", "default"}}
    match tidy.get("anyOf"):
        case [{"type": "object"} as mapping, {"type": "null"}]:
            del tidy["anyOf"]
            tidy = {**mapping, **tidy}
    return {**tidy, "type": ["object", "null"]} if tidy.get("type") == "object" else tidy
