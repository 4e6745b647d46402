"""A bulk result is read whole, whatever happens to the connection, or it fails."""

import gzip
import logging
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopify_pipeline.admin_api.download import Download
from shopify_pipeline.admin_api.errors import (
    ResultExpiredError,
    ResultIncompleteError,
    RetriesExhaustedError,
)
from shopify_pipeline_tests.admin_api.server import Call, Reply, ScriptedServer, serving

LINES = [b'{"id":"gid:\\/\\/shopify\\/Order\\/%d"}' % number for number in range(5000)]
FILE = b"\n".join(LINES) + b"\n"


def files(
    file: bytes, *, ranges: bool = True, etag: str = '"one"', headers: dict[str, str] | None = None
) -> Callable[[Call], Reply]:
    """A file server's answer to a GET, with ranges or without."""

    def reply(call: Call) -> Reply:
        given = {"ETag": etag, **(headers or {})}
        wanted = call.headers.get("range")
        if not wanted or not ranges or call.headers.get("if-range", etag) != etag:
            return Reply(body=file, headers=given)
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        extent = f"bytes {start}-{len(file) - 1}/{len(file)}"
        return Reply(status=206, body=file[start:], headers={**given, "Content-Range": extent})

    return reply


def broken(reply: Reply) -> Reply:
    """The same, but the connection ends in the middle."""
    return Reply(status=reply.status, body=reply.body, headers=reply.headers, fault="truncate")


def first_broken(times: int, whole: Callable[[Call], Reply], server: ScriptedServer) -> None:
    """Let the first `times` answers break off."""
    server.otherwise = lambda call: (
        broken(whole(call)) if len(server.calls) <= times else whole(call)
    )


def url(server: ScriptedServer) -> str:
    return f"{server.url}/result.jsonl?signature=never_to_be_seen"


def test_all_lines_are_read(server: ScriptedServer) -> None:
    server.otherwise = files(FILE)
    download = Download(url(server), file_size=len(FILE), expected_lines=5000)
    assert list(download) == LINES
    assert (download.lines_read, download.bytes_read) == (5000, len(FILE))


def test_a_last_line_without_a_newline_is_a_line(server: ScriptedServer) -> None:
    server.otherwise = files(FILE[:-1])
    assert list(Download(url(server))) == LINES


def test_an_empty_file_has_no_lines(server: ScriptedServer) -> None:
    server.otherwise = files(b"")
    assert list(Download(url(server), file_size=0)) == []


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_breaks_is_taken_up_again(server: ScriptedServer, ranges: bool) -> None:
    first_broken(3 if ranges else 1, files(FILE, ranges=ranges), server)
    download = Download(url(server), file_size=len(FILE), expected_lines=5000)
    assert list(download) == LINES
    assert download.resumed == (3 if ranges else 1)
    assert "range" in server.calls[1].headers


def test_a_body_that_tells_no_length_is_read_as_far_as_the_file_goes(
    server: ScriptedServer,
) -> None:
    server.script.append(Reply(body=FILE, fault="truncate", has_length=False))
    server.otherwise = files(FILE)
    download = Download(url(server), file_size=len(FILE), expected_lines=5000)
    assert list(download) == LINES
    assert download.resumed == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_a_compressed_file_is_read_through_breaks_too(server: ScriptedServer, ranges: bool) -> None:
    packed = gzip.compress(FILE)
    first_broken(1, files(packed, ranges=ranges, headers={"Content-Encoding": "gzip"}), server)
    download = Download(url(server), file_size=len(FILE), expected_lines=5000)
    assert list(download) == LINES
    assert (download.bytes_read, download.bytes_received) == (len(FILE), len(packed))


def test_several_compressed_files_in_a_row_are_one(server: ScriptedServer) -> None:
    half = len(FILE) // 2
    packed = gzip.compress(FILE[:half]) + gzip.compress(FILE[half:])
    server.otherwise = files(packed, headers={"Content-Encoding": "gzip"})
    assert list(Download(url(server), file_size=len(FILE))) == LINES


def test_a_compressed_file_that_is_damaged_fails(server: ScriptedServer) -> None:
    packed = bytearray(gzip.compress(FILE))
    packed[len(packed) // 2] ^= 0xFF
    server.otherwise = files(bytes(packed), headers={"Content-Encoding": "gzip"})
    with pytest.raises(ResultIncompleteError):
        list(Download(url(server)))


def test_a_compressed_file_without_its_end_fails(server: ScriptedServer) -> None:
    server.otherwise = files(gzip.compress(FILE)[:-20], headers={"Content-Encoding": "gzip"})
    with pytest.raises((ResultIncompleteError, RetriesExhaustedError)):
        list(Download(url(server), retry_budget_seconds=1.0))


def test_a_file_shorter_than_it_was_said_to_be_fails(server: ScriptedServer) -> None:
    server.otherwise = files(FILE)
    with pytest.raises(ResultIncompleteError, match="bytes"):
        list(Download(url(server), file_size=len(FILE) + 1))


def test_fewer_lines_than_objects_fail_and_more_do_not(server: ScriptedServer) -> None:
    server.otherwise = files(FILE)
    with pytest.raises(ResultIncompleteError, match="5000 lines of 5001"):
        list(Download(url(server), expected_lines=5001))
    assert len(list(Download(url(server), expected_lines=4999))) == 5000


def test_a_file_that_changes_between_two_reads_fails(server: ScriptedServer) -> None:
    replies = [files(FILE), files(FILE.upper(), etag='"two"', ranges=False)]
    server.otherwise = lambda call: (
        broken(replies[0](call)) if len(server.calls) == 1 else replies[1](call)
    )
    with pytest.raises(ResultIncompleteError, match="changed"):
        list(Download(url(server)))


def test_a_file_that_is_gone_says_so_at_once(server: ScriptedServer) -> None:
    server.otherwise = lambda _: Reply(status=403, body=b"<Error>ExpiredToken</Error>")
    with pytest.raises(ResultExpiredError, match="7 days"):
        list(Download(url(server)))
    assert len(server.calls) == 1


def test_a_failing_file_server_is_waited_for(server: ScriptedServer) -> None:
    server.script.extend([Reply(status=503), Reply(fault="reset")])
    server.otherwise = files(FILE)
    assert list(Download(url(server))) == LINES


def test_a_file_server_that_keeps_failing_ends_it(server: ScriptedServer) -> None:
    server.otherwise = lambda _: Reply(status=503)
    with pytest.raises(RetriesExhaustedError, match="HTTP 503"):
        list(Download(url(server), retry_budget_seconds=1.0))


def test_the_signed_address_is_shown_nowhere(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    download = Download(url(server), retry_budget_seconds=0.0)
    server.script.extend([Reply(status=503), Reply(fault="reset"), Reply(fault="reset")])
    with pytest.raises(RetriesExhaustedError) as caught:
        list(download)
    server.script.clear()
    server.otherwise = files(FILE)
    list(Download(url(server)))
    assert "GET http" in caplog.text
    assert "never_to_be_seen" not in f"{caplog.text}{caught.value!r}{download!r}"


def test_memory_stays_flat(server: ScriptedServer) -> None:
    big = FILE * 200
    server.otherwise = files(big)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for _ in Download(url(server), file_size=len(big)):
        pass
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert len(big) > 30_000_000
    assert peak < 12_000_000


@settings(deadline=None, max_examples=40)
@given(
    lines=st.lists(
        st.binary(min_size=1, max_size=200).filter(lambda b: b"\n" not in b), max_size=60
    ),
    newline=st.booleans(),
    packed=st.booleans(),
    breaks=st.integers(0, 4),
    ranges=st.booleans(),
)
def test_any_lines_survive_any_breaks(
    lines: list[bytes], newline: bool, packed: bool, breaks: int, ranges: bool
) -> None:
    file = b"\n".join(lines) + (b"\n" if newline and lines else b"")
    sent = gzip.compress(file) if packed else file
    headers = {"Content-Encoding": "gzip"} if packed else {}
    with serving() as server:
        first_broken(
            breaks if ranges else min(breaks, 1),
            files(sent, ranges=ranges, headers=headers),
            server,
        )
        download = Download(url(server), file_size=len(file), expected_lines=len(lines))
        assert list(download) == lines
