"""Streams the JSON lines of a bulk operation's result, resuming where a connection breaks."""

import logging
import zlib
from collections.abc import Generator, Iterator
from itertools import chain
from urllib.parse import urlsplit

import httpx

from shopify_pipeline.admin_api.errors import (
    AdminApiError,
    ResultExpiredError,
    ResultIncompleteError,
    RetriesExhaustedError,
)
from shopify_pipeline.admin_api.patience import (
    RETRY_BUDGET_SECONDS,
    OnWait,
    PassingFailure,
    Patience,
)
from shopify_pipeline.admin_api.transport import USER_AGENT

logger = logging.getLogger(__name__)

_BATCH_BYTES = 1 << 20
_GZIP = zlib.MAX_WBITS | 16
_GONE = frozenset({400, 401, 403, 404, 410})


class _WithoutQuery(logging.Filter):
    """Takes the query string out of the addresses that httpx logs: a signed one is a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                a.copy_with(query=None) if isinstance(a, httpx.URL) else a for a in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_WithoutQuery())


class Download:
    """The lines of the file at `url`, read once, in flat memory, nothing written to disk.

    A connection that breaks is taken up again by HTTP Range where it broke, or, where the server
    serves no ranges, from the beginning with what was read skipped; the budget of
    `retry_budget_seconds` begins anew with every byte that arrives. At the end the size is
    compared with `file_size` (bytes) and the lines with `expected_lines`, if they are given.

    Iterating it, or `batches()`, raises:
        ResultExpiredError: the file is gone, or the address no longer valid.
        ResultIncompleteError: the file is shorter than it must be, or changed meanwhile.
        RetriesExhaustedError: the server kept failing.
    """

    def __init__(
        self,
        url: str,
        *,
        file_size: int | None = None,
        expected_lines: int | None = None,
        retry_budget_seconds: float = RETRY_BUDGET_SECONDS,
        timeout_seconds: float = 60.0,
        on_wait: OnWait | None = None,
    ) -> None:
        self._url = url
        self._host = urlsplit(url).hostname or ""
        self._file_size = file_size
        self._expected_lines = expected_lines
        self._budget = retry_budget_seconds
        self._timeout = timeout_seconds
        self._on_wait = on_wait
        self._decoder: zlib._Decompress | None = None
        self._etag: str | None = None
        self._total: int | None = None
        self.bytes_received = 0
        """Bytes that came over the network and count, as sent (compressed, if they are)."""
        self.bytes_read = 0
        """Bytes of lines, decompressed."""
        self.lines_read = 0
        """Lines handed out."""
        self.resumed = 0
        """How often a broken connection was taken up again."""

    def __repr__(self) -> str:
        return f"Download(from {self._host}, {self.lines_read} lines so far)"

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines, without their newline."""
        return chain.from_iterable(self.batches())

    def batches(self) -> Iterator[list[bytes]]:
        """Yield the lines in lists of about a megabyte: the same as iterating, and faster."""
        tail = b""
        pending: list[bytes] = []
        size = 0
        for chunk in self._decoded():
            pending.append(chunk)
            size += len(chunk)
            if size < _BATCH_BYTES:
                continue
            lines = b"".join((tail, *pending)).split(b"\n")
            tail, pending, size = lines.pop(), [], 0
            yield from self._counted(lines)
        lines = b"".join((tail, *pending)).split(b"\n")
        self._check_size()
        yield from self._counted(lines)
        self._check_lines()

    def _counted(self, lines: list[bytes]) -> Iterator[list[bytes]]:
        if b"" in lines:
            lines = [line for line in lines if line]
        if lines:
            self.lines_read += len(lines)
            yield lines

    def _check_size(self) -> None:
        sizes = {self.bytes_received, self.bytes_read}
        if self._file_size is not None and self._file_size not in sizes:
            raise self._incomplete(f"it has {self.bytes_read} bytes of {self._file_size}")

    def _check_lines(self) -> None:
        expected = self._expected_lines
        if expected is not None and self.lines_read < expected:
            raise self._incomplete(f"it has {self.lines_read} lines of {expected}")
        if expected is not None and self.lines_read > expected:
            logger.warning("A bulk result has %d lines of %d", self.lines_read, expected)

    def _decoded(self) -> Iterator[bytes]:
        # The bytes of lines, whichever way the server encodes and cuts them.
        with httpx.Client(
            timeout=httpx.Timeout(self._timeout, connect=min(10.0, self._timeout)),
            headers={"user-agent": USER_AGENT, "accept-encoding": "gzip"},
            follow_redirects=True,
        ) as http:
            stream = self._stream(http)
            try:
                while True:
                    try:
                        chunk = next(stream, None)
                    except PassingFailure:
                        stream, chunk = self._reopened(http)
                    if chunk is None:
                        return
                    yield chunk
            finally:
                stream.close()

    def _reopened(self, http: httpx.Client) -> tuple[Generator[bytes, None, None], bytes | None]:
        """Take the file up where it broke; return the stream, and its first chunk or None."""
        patience = Patience(
            retry_budget_seconds=self._budget,
            throttle_budget_seconds=self._budget,
            on_wait=self._on_wait,
        )
        try:
            for attempt in patience.attempts():
                with attempt:
                    stream = self._stream(http)
                    return stream, next(stream, None)
        except PassingFailure as failure:
            raise RetriesExhaustedError(
                f"The file of the bulk operation could not be read to its end for "
                f"{self._budget:.0f} s, last by {failure.seen}, after {self.bytes_received} bytes: "
                "try again later; the result is kept for 7 days",
                timed_out=failure.timed_out,
            ) from None
        raise AssertionError("tenacity ends by a return or a raise")

    def _stream(self, http: httpx.Client) -> Generator[bytes, None, None]:
        start = self.bytes_received
        headers = {"range": f"bytes={start}-"} if start else {}
        if start and self._etag:
            headers["if-range"] = self._etag
        try:
            with http.stream("GET", self._url, headers=headers) as response:
                skip = self._begin(response, start)
                for raw in response.iter_raw():
                    if skip >= len(raw):
                        skip -= len(raw)
                        continue
                    data = raw[skip:] if skip else raw
                    skip = 0
                    self.bytes_received += len(data)
                    decoded = self._decompressed(data) if self._decoder else data
                    self.bytes_read += len(decoded)
                    yield decoded
        except (httpx.TransportError, httpx.StreamError) as error:
            raise PassingFailure(
                f"{type(error).__name__} while reading a bulk result from {self._host}",
                timed_out=isinstance(error, httpx.TimeoutException),
            ) from None
        except zlib.error:
            raise self._incomplete("its compressed data is damaged") from None
        # A body without a length ends wherever the connection ends.
        if self._total is not None and self.bytes_received < self._total:
            raise PassingFailure(f"a bulk result from {self._host} broke off")
        if self._decoder is not None and not self._decoder.eof:
            raise PassingFailure(f"a bulk result from {self._host} broke off")

    def _decompressed(self, data: bytes) -> bytes:
        decoded = []
        while data and self._decoder:
            # A file may be several compressed ones in a row.
            if self._decoder.eof:
                self._decoder = zlib.decompressobj(_GZIP)
            decoded.append(self._decoder.decompress(data))
            data = self._decoder.unused_data
        return b"".join(decoded)

    def _begin(self, response: httpx.Response, start: int) -> int:
        """Judge the answer's head; return how many of its first bytes were read before."""
        status = response.status_code
        if status in _GONE:
            raise ResultExpiredError(
                f"The file of the bulk operation is no longer to be had (HTTP {status} from "
                f"{self._host}): its address ends 7 days after completion; run the operation again"
            )
        if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise self._incomplete(f"it ends before byte {start}, which was read before")
        if status not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
            raise PassingFailure(f"HTTP {status} from {self._host}")
        served_from, total = _extent(response)
        if served_from > start or (status == httpx.codes.PARTIAL_CONTENT and served_from != start):
            raise self._incomplete(f"the server sent bytes from {served_from}, not from {start}")
        etag = response.headers.get("etag")
        if start:
            self.resumed += 1
            changed = {(self._etag, etag), (self._total, total)}
            if any(old is not None and new is not None and old != new for old, new in changed):
                raise self._incomplete("it changed while it was read")
        else:
            self._etag = etag
            encoded = response.headers.get("content-encoding", "identity").lower()
            self._decoder = zlib.decompressobj(_GZIP) if encoded == "gzip" else None
        self._total = total if total is not None else self._known_total()
        return start - served_from

    def _known_total(self) -> int | None:
        # Without a length of the server's, the file's own size tells where an identity body ends.
        return self._total or (None if self._decoder else self._file_size)

    def _incomplete(self, why: str) -> AdminApiError:
        return ResultIncompleteError(
            f"The file of the bulk operation is not whole: {why}. Nothing of it may count; read "
            "it again, or run the operation again"
        )


def _extent(response: httpx.Response) -> tuple[int, int | None]:
    """Return the first byte that the answer brings, and the whole file's size if told."""
    content_range = response.headers.get("content-range", "")
    if response.status_code == httpx.codes.PARTIAL_CONTENT and content_range.startswith("bytes "):
        extent, _, total = content_range.removeprefix("bytes ").partition("/")
        first = extent.partition("-")[0]
        return int(first), int(total) if total.isdigit() else None
    length = response.headers.get("content-length", "")
    return 0, int(length) if length.isdigit() else None
