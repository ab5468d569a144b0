"""The conformance suite of connectrpc.com over grpcio, and over all that callahead has in its place."""

from __future__ import annotations

import os

import pytest

from tests.interop.connectconformance.tool import CASES, missing, run

_REFERENCES = ("reference", "http2")
_STUBS = ("grpcio", "channel", "futures", "sent", "http2-channel", "http2-futures", "http2-sent")
_FEWEST = dict.fromkeys(_STUBS, 600) | dict.fromkeys(_REFERENCES, 280)


@pytest.fixture(scope="module")
def suite() -> None:
    """Skip where the suite cannot be built, and say what is needed; in CI that is a failure."""
    why_not = missing()
    if why_not is None:
        return
    if os.environ.get("CALLAHEAD_CI"):
        pytest.fail(f"CALLAHEAD_CI is set, so nothing may be skipped, but {why_not}")
    pytest.skip(why_not)


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize("client", _FEWEST)
def test_no_case_fails(client: str, capsys: pytest.CaptureFixture[str]) -> None:
    """But for those that are known to."""
    summary = run(client)
    with capsys.disabled():
        print(f"\nconnectconformance over {client}: {summary}")
    assert (summary.failures, summary.failed, summary.unrun) == ((), 0, 0)
    assert summary.total >= _FEWEST[client]


def test_callahead_fails_in_nothing_that_grpcio_passes() -> None:
    """Each list of cases that are known to fail, or to do so at times, is one of grpcio's, too."""
    assert {file.name.partition(".")[0] for file in CASES.glob("*.f*.txt")} == {"all", "stubs", "grpcio"}
