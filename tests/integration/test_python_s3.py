"""boto3, which knows nothing of callahead, made parallel by configuration, against a real S3 server."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.s3_server import S3Server

from callahead.config import load_file
from callahead.consumer import Consumer, RpcContext
from callahead.consumer.reference.reference import Reference

ROOT = Path(__file__).parents[2]
LATENCY_S = 0.05
SOON = 60.0
BUCKET = "movies"
OBJECTS = {f"object-{number}": os.urandom(1_000_000) for number in range(50)}
pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a server that takes 50 ms more for each request."""
    with S3Server(LATENCY_S) as server:
        yield server.url


@pytest.fixture
def consumer(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Consumer]:
    """What conf/s3.yml makes, at that address."""
    monkeypatch.setenv("S3_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    with Consumer(load_file(ROOT / "conf" / "s3.yml")) as made:
        yield made


@pytest.fixture
def s3(consumer: Consumer) -> Reference:
    """The client, with a bucket."""
    client = consumer.reference("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.mark.long
def test_fifty_objects_up_and_down(s3: Reference) -> None:
    """Every object comes back as it went, and all of them at least four times as fast as one after the other."""
    ratios = []
    for _ in range(3):  # the machine is shared, and half of this is the server's work
        alone = timed(lambda: one_by_one(s3))
        together = timed(lambda: all_at_once(s3))
        ratios.append(alone / together)
        if ratios[-1] >= 4:
            break
    assert max(ratios) >= 4, ratios


def timed(work: Callable[[], dict[str, str]]) -> float:
    """Give the seconds that *work* takes, which must bring the right checksums."""
    began = time.monotonic()
    found = work()
    took = time.monotonic() - began
    assert found == {key: checksum(body) for key, body in OBJECTS.items()}
    return took


def checksum(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def one_by_one(s3: Reference) -> dict[str, str]:
    """Do what a program does that waits for each answer."""
    for key, body in OBJECTS.items():
        s3.put_object.sync(Bucket=BUCKET, Key=key, Body=body)
    return {key: checksum(s3.get_object.sync(Bucket=BUCKET, Key=key)["Body"].read()) for key in OBJECTS}


def all_at_once(s3: Reference) -> dict[str, str]:
    """Make the same calls, which the configuration makes asynchronous, and then collect the answers."""
    context = RpcContext.get_context()
    uploads, downloads = [], {}
    for key, body in OBJECTS.items():
        assert s3.put_object(Bucket=BUCKET, Key=key, Body=body) is None
        uploads.append(context.get_future())
    for upload in uploads:
        assert upload.result(SOON)["ETag"]
    for key in OBJECTS:
        s3.get_object(Bucket=BUCKET, Key=key)
        downloads[key] = context.get_future()
    return {key: checksum(download.result(SOON)["Body"].read()) for key, download in downloads.items()}


def test_the_upload_of_the_aws_sdk_for_cpp(s3: Reference, tmp_path: Path) -> None:
    """Its ``PutObjectAsync`` of a file, with a handler that knows the call by a UUID; and nobody waits in vain."""
    file = tmp_path / "my-file.txt"
    file.write_text("what is in my file")
    finished, told = threading.Event(), []
    caller_context = str(uuid.uuid4())

    def put_object_finished(outcome: Any) -> None:
        told.append((caller_context, outcome.result(0)["ResponseMetadata"]["HTTPStatusCode"]))
        finished.set()

    with file.open("rb") as body:
        s3.put_object.future(Bucket=BUCKET, Key=file.name, Body=body).add_done_callback(put_object_finished)
        assert finished.wait(SOON)
    assert told == [(caller_context, 200)]


def test_the_download_of_jclouds(s3: Reference) -> None:
    """Its ``getBlob``, which takes ages, is begun before it is needed, and the program does other things meanwhile."""
    s3.put_object.sync(Bucket=BUCKET, Key="bigfish.mpg", Body=b"a film")
    movie = s3.get_object_async(Bucket=BUCKET, Key="bigfish.mpg")
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="bigfish")["KeyCount"] == 1
    assert movie.result(SOON)["Body"].read() == b"a film"


def test_the_errors_are_those_of_boto3(s3: Reference) -> None:
    """The clauses of a program that knows nothing of callahead catch them, at the call and in the future."""
    with pytest.raises(s3.exceptions.NoSuchKey) as caught:
        s3.get_object.sync(Bucket=BUCKET, Key="none")
    assert caught.value.response["Error"]["Code"] == "NoSuchKey"
    from botocore.exceptions import ClientError  # of the extra full, as the server is

    with pytest.raises(ClientError):
        s3.get_object.future(Bucket=BUCKET, Key="none").result(SOON)


def test_the_rest_of_the_client_is_there(s3: Reference) -> None:
    """Paginators, waiters and attributes are boto3's own; what they call is called at once, on the caller's thread."""
    s3.put_object.sync(Bucket=BUCKET, Key="paged", Body=b"1")
    s3.get_waiter("object_exists").wait(Bucket=BUCKET, Key="paged")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="paged")
    assert [found["Key"] for page in pages for found in page["Contents"]] == ["paged"]
    assert s3.meta.region_name == "us-east-1"
    assert s3.can_paginate("list_buckets")
    assert "putObject" not in dir(s3)
    assert {"put_object", "get_object"} <= set(dir(s3))
