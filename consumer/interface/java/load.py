"""The Java interface of a reference: out of its stub, its ``parameter_types``, or nothing but its name."""

from __future__ import annotations

from collections.abc import Container, Iterable
from types import MappingProxyType
from typing import Any

from callahead.config.errors import ConfigError, Problem
from callahead.config.extension import load_object
from callahead.config.policy import ReferencePolicy

from ...codec.hessian2.binding import camel_case
from ..spelling import folded
from .declared import parse
from .interface import JavaInterface
from .method import JavaMethod
from .signature import JavaSignature
from .stub import Declared, declarations

_Declarations = dict[str, list[Declared]]


def load_interface(policy: ReferencePolicy) -> JavaInterface:
    """Find out what can be called on a reference to a Java interface; imports the stub, and does no other I/O.

    A method's ``parameter_types`` in the YAML win over the stub, whose names of parameters, where they are as many, and
    return annotation still hold. Without a stub a method that has none is called through ``$invoke``, with
    ``generic: true`` every method is.

    Raises:
        ConfigError: The stub cannot be imported or understood, the YAML names a method that it lacks, or a Java type
            is none; all that is wrong, at file and line.
    """
    stub = None if policy.stub is None else _import(policy, policy.stub)
    known: _Declarations = {}
    for each in () if stub is None else declarations(stub):
        known.setdefault(each.key, []).append(each)
    if stub is not None and not known and not policy.generic:
        raise policy.error("stub", f'"{policy.stub}" declares no method', "write one function for each method")
    problems: list[Problem] = []
    by_yaml = _of_yaml(policy, known, problems)
    signatures = dict(by_yaml)
    for key, functions in known.items():
        if key not in signatures:
            signatures[key] = _of_stub(policy, functions, problems)
    if problems:
        raise ConfigError(problems)
    _join_overloads(signatures, by_yaml)
    methods = {
        key: JavaMethod(name=key, signatures=tuple(found), is_generic=policy.generic)
        for key, found in signatures.items()
    }
    return JavaInterface(
        name=policy.interface,
        methods=MappingProxyType(methods),
        is_generic=policy.generic or stub is None,
        source="the configuration" if stub is None else f"stub {policy.stub}",
    )


def _import(policy: ReferencePolicy, spec: str) -> type[Any]:
    try:
        found = load_object(spec)
    except LookupError as error:
        raise policy.error("stub", str(error)) from error
    except Exception as error:  # the user's module runs, so anything may come out of it
        raise policy.error("stub", f'cannot import "{spec}": {type(error).__name__}: {error}') from error
    if not isinstance(found, type):
        text = f'"{spec}" is not a class'
        raise policy.error("stub", text, "give a class with one annotated function for each method")
    return found


def _of_yaml(policy: ReferencePolicy, known: _Declarations, problems: list[Problem]) -> dict[str, list[JavaSignature]]:
    """Read the methods whose parameter types the YAML gives; check that the others it names exist."""
    signatures: dict[str, list[JavaSignature]] = {}
    named: dict[str, str] = {}
    for method in policy.methods.values():
        key = _key(method.method, known)
        if named.setdefault(key, method.method) != method.method:
            text = f'"{method.method}" and "{named[key]}" are one method, "{key}"'
            problems.append(method.problem("method", text, "keep one of them"))
        if method.parameter_types is not None:
            try:
                signatures[key] = [_signature(key, method.parameter_types, known.get(key, []))]
            except ValueError as error:
                problems.append(method.problem("parameter_types", str(error)))
        elif policy.stub is not None and key not in known and not policy.generic:
            text = f'"{policy.stub}" has no method "{method.method}"'
            hint = JavaInterface(name="", methods=dict.fromkeys(known, JavaMethod(name=""))).nearest(method.method)
            problems.append(method.problem("method", text, hint))
    return signatures


def _key(name: str, known: Iterable[str]) -> str:
    """Find the name under which the stub has a method that the YAML may spell in another way."""
    if name in known:
        return name
    same = [key for key in known if folded(key) == folded(name)]
    return same[0] if len(same) == 1 else camel_case(name)


def _signature(key: str, names: tuple[str, ...], functions: list[Declared]) -> JavaSignature:
    method = functions[0].java if functions else key
    types = tuple(map(parse, names))
    like = _like(functions)
    if like is None:
        return JavaSignature(wire_method=method, types=types)
    same = len(like.parameter_names) == len(types)
    return JavaSignature(
        wire_method=method,
        types=types,
        parameter_names=like.parameter_names if same else (),
        defaults=like.defaults if same else {},
        return_type=like.return_type,
    )


def _like(functions: list[Declared]) -> JavaSignature | None:
    """Make the signature of a function that is no overload; None where it cannot be made, for the YAML says enough."""
    if len(functions) != 1:
        return None
    try:
        return functions[0].signature()
    except ValueError:
        return None


def _of_stub(policy: ReferencePolicy, functions: list[Declared], problems: list[Problem]) -> list[JavaSignature]:
    found: dict[str, JavaSignature] = {}
    for function in functions:
        try:
            signature = function.signature()
        except ValueError as error:
            problems += policy.error("stub", f"{policy.stub}.{error}").problems
            continue
        if signature.descriptor in found:
            text = f"{policy.stub}.{function.key}: two functions declare {signature}"
            problems += policy.error("stub", text, "one of them needs other types; a plain int is Java's int").problems
        found[signature.descriptor] = signature
    return list(found.values())


def _join_overloads(signatures: dict[str, list[JavaSignature]], final: Container[str]) -> None:
    """Let a Java name, unless it is *final*, reach those overloads too that the stub declares under their own names."""
    apart: dict[str, list[JavaSignature]] = {}
    for key, found in signatures.items():
        for signature in found:
            if signature.wire_method != key and signature.wire_method not in final:
                apart.setdefault(signature.wire_method, []).append(signature)
    for java, found in apart.items():
        every = {one.descriptor: one for one in (*found, *signatures.get(java, ()))}
        signatures[java] = list(every.values())
