"""The result files of bulk operations: their addresses, and how they are served or damaged.

A file may hold gigabytes, so none is ever held in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

from starlette.responses import FileResponse, Response, StreamingResponse

from shopify_pipeline.demo.store.clock import DAY, SECOND
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.faults import Fault
from shopify_pipeline.demo.store.responses import DropConnection

LIFETIME = 7 * DAY

_BLOCK = 1 << 18
_JSONL = "application/jsonl"


def label_of(document: Document) -> str:
    """The name under which a browser would keep an operation's file."""
    return f"bulk-{document['id']}.jsonl"


def address_of(document: Document, base: str) -> str:
    """The signed-looking address of an operation's file, as Google's storage writes it."""
    label = label_of(document)
    shown = f"attachment; filename=\"{label}\"; filename*=UTF-8''{label}"
    moment = document["completedAt"] or document["createdAt"]
    return (
        f"{base}/bulk-operation-outputs/{document['file']}"
        f"?GoogleAccessId=assets-us-prod%40demo.example.com"
        f"&Expires={(moment + LIFETIME) // SECOND}"
        f"&Signature={quote(document['file'])}%3D%3D"
        f"&response-content-disposition={quote_plus(shown)}"
        "&response-content-type=application%2Fjsonl"
    )


def file_answer(
    path: Path, document: Document, fault: Fault | None, headers: dict[str, str]
) -> Response:
    """The file, Range requests included; with a fault, its first two thirds only."""
    if fault is not None and fault.kind in {"bulk_truncated_file", "dropped_midway"}:
        size = path.stat().st_size
        length = _inside_a_line(path, max(1, size * 2 // 3))
        if fault.kind == "dropped_midway":
            return DropConnection(_beginning(path, length), promised=size)
        given = headers | {"Content-Length": str(length)}
        return StreamingResponse(_beginning(path, length), 200, given, media_type=_JSONL)
    whole = FileResponse(path, headers=headers, media_type=_JSONL, filename=label_of(document))
    whole.chunk_size = _BLOCK  # a fourth of the turns through the loop, which benchmarks would feel
    return whole


def drop_last_lines(path: Path, count: int) -> None:
    """Cut so many lines off the end of a file."""
    starts: deque[int] = deque(maxlen=count)
    place = 0
    with path.open("r+b") as file:
        for line in file:
            starts.append(place)
            place += len(line)
        if starts:
            file.truncate(starts[0])


def _inside_a_line(path: Path, length: int) -> int:
    with path.open("rb") as file:
        while length > 1:
            file.seek(length - 1)
            if file.read(1) != b"\n":
                break
            length -= 1
    return length


def _beginning(path: Path, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while length > 0:
            block = file.read(min(length, _BLOCK))
            if not block:
                return
            length -= len(block)
            yield block
