"""Arguments and answers of ``callahead call``, and what it says of a call, without any call."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import click
import pytest

from callahead.consumer import CallTimeout, LastCall
from callahead.consumer.cli.call import call
from callahead.consumer.cli.json_values import as_json, read_values
from callahead.consumer.cli.one_call import Answer, OneCall
from callahead.consumer.codec.hessian2 import JavaObject


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_each_argument_is_one_json_value() -> None:
    """Objects, numbers, text and null, in their order."""
    assert read_values(('{"a": [1]}', "2", '"x"', "null")) == ({"a": [1]}, 2, "x", None)


def test_no_argument_is_no_value() -> None:
    """The request is then empty."""
    assert read_values(()) == ()


def test_a_file_and_the_standard_input_hold_json_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """UTF-8, with or without the mark that some editors begin it with."""
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"name": "n\xc3\xa9"}\n')
    stdin(monkeypatch, b"[1,\n 2]")
    assert read_values((f"@{tmp_path}/a.json", "-")) == ({"name": "n\xe9"}, [1, 2])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("hello", "argument 1: not JSON, or text without its quotes: Expecting value at column 1"),
        ("{a: 1}", "argument 1: not JSON: Expecting property name enclosed in double quotes at column 2"),
        ("", "argument 1: not JSON: Expecting value at column 1"),
        ('{\n"a": }', "argument 1:2: not JSON: Expecting value at column 6"),
        ('{"a": 1, "b": 2, "a": 3}', 'argument 1: the key "a" is there twice'),
        ("@no.json", "argument 1: the file 'no.json' cannot be read: No such file or directory"),
        ("@a\0b", "argument 1: the file 'a\\x00b' cannot be read: embedded null byte"),
    ],
)
def test_what_is_no_json_is_a_usage_error(argument: str, message: str) -> None:
    """With the place and what is wrong there."""
    with pytest.raises(click.UsageError) as caught:
        read_values((argument,))
    assert caught.value.message == message


def test_too_deep_json_is_a_usage_error() -> None:
    """Python's parser gives up, and says so as an error of ours."""
    with pytest.raises(click.UsageError, match=r"^argument 1: nested too deeply$"):
        read_values(("[" * 200_000,))


def test_input_that_is_not_utf_8_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The byte is named."""
    stdin(monkeypatch, b'"\xff"')
    with pytest.raises(click.UsageError) as caught:
        read_values(("-",))
    assert caught.value.message == "<stdin>: not UTF-8: invalid start byte at byte 1"


def test_the_standard_input_is_read_once() -> None:
    """A second - would silently be empty."""
    with pytest.raises(click.UsageError) as caught:
        read_values(("-", "-"))
    assert caught.value.message == "- can be given once: there is one standard input"


@pytest.mark.parametrize(("encoding", "expected"), [("utf-8", '"n\xe9"'), ("ascii", '"n\\u00e9"')])
def test_an_answer_is_written_in_what_the_terminal_can_show(
    monkeypatch: pytest.MonkeyPatch, encoding: str, expected: str
) -> None:
    """Readable where it can be, escaped where it cannot."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert as_json("n\xe9") == expected


def test_bytes_are_written_as_base64() -> None:
    """As in protobuf's JSON form."""
    assert as_json({"trace-bin": b"\x00\xff"}) == '{\n  "trace-bin": "AP8="\n}'


CALL = OneCall(file="c.yml", reference="foo", method="find_foo", values=(), options={})
LAST = LastCall("foo", "findFoo", "tri://h:1", 2, 12.3456)


def test_a_document_tells_all_of_an_answered_call() -> None:
    """The keys that scripts rely on."""
    answer = Answer(call=CALL, value={"name": "x"}, last=LAST, response_attachments={"k": "v"})
    assert json.loads(as_json(answer.document())) == {
        "status": "ok",
        "value": {"name": "x"},
        "error": None,
        "provider": "tri://h:1",
        "attempts": 2,
        "elapsed_ms": 12.346,
        "response_attachments": {"k": "v"},
    }
    assert answer.status_line() == "ok: foo.findFoo, tri://h:1, 2 attempts, 12.3 ms"


def test_a_document_tells_whether_a_failed_call_may_have_run() -> None:
    """The error by its class, with its doubt."""
    error = CallTimeout("no answer within 5 ms", in_doubt=True)
    answer = Answer(call=CALL, error=error, last=LAST, response_attachments={})
    assert answer.document()["status"] == "failed"
    assert answer.document()["error"] == {
        "type": "CallTimeout",
        "message": "no answer within 5 ms",
        "not_sent": False,
        "in_doubt": True,
    }
    assert answer.status_line() == (
        "CallTimeout: no answer within 5 ms\nfailed: foo.findFoo, tri://h:1, 2 attempts, 12.3 ms"
    )


def test_a_call_that_never_began_has_no_provider_and_took_no_time() -> None:
    """Such as one whose reference has no provider."""
    answer = Answer(call=CALL, error=ValueError("x"), response_attachments={})
    assert answer.status_line() == "ValueError: x\nfailed: foo.find_foo, no provider asked, 0 attempts, 0.0 ms"
    assert answer.document()["provider"] is None


def test_the_help_says_what_the_arguments_are() -> None:
    """A user who has only the help can make a call."""
    text = call.get_help(click.Context(call, info_name="call"))
    assert "@file" in text
    assert "Exit status 0: answered; 1: the call failed; 2:" in " ".join(text.split())


def test_an_answer_without_end_is_no_json() -> None:
    """Two hundred lists that each hold the next one twice would be 2^200 lines."""
    value: list[object] = []
    for _ in range(200):
        value = [value, value]
    with pytest.raises(ValueError, match="more than 33554432 characters"):
        as_json(value)


def test_objects_without_end_are_cut() -> None:
    """What JSON has no form for is text, and that is bounded."""
    value = JavaObject("a.B")
    for _ in range(200):
        value = JavaObject("a.B", {"left": value, "right": value})
    assert len(as_json(value)) < 2_000_000


def test_json_holds_no_character_that_a_terminal_obeys() -> None:
    """Those that JSON itself lets through are escaped as it escapes the others."""
    value = ["\x1b[2J", "\x9b2J\x7f", "\u202egnp", "\u4e2d"]
    text = as_json(value)
    assert json.loads(text) == value
    assert all(character.isprintable() or character == "\n" for character in text)
