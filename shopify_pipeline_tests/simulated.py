"""A simulated store in a process of its own, reached over HTTP as anyone would."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

TOKEN = "shpat_demo"  # the simulated store's own default


@dataclass(frozen=True)
class SimulatedStore:
    """A running store: its address, and its control interface."""

    url: str
    shop: str = "demo-store"

    def control(self, path: str, body: Any = None, *, method: str = "POST") -> Any:
        """Ask the control interface: `control("faults", {"kind": "throttled", "count": 3})`."""
        answer = httpx.request(method, f"{self.url}/_store/{path}", json=body, timeout=120)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def fault(self, kind: str, **options: Any) -> None:
        """Let a fault happen to the next calls."""
        self.control("faults", {"kind": kind, **options})

    def stats(self) -> Any:
        """Calls and points since the last reset."""
        return self.control("stats", method="GET")

    def forget_stats(self) -> None:
        """Set the counts of calls and points to zero."""
        self.control("stats", method="DELETE")


@contextmanager
def serving(
    *,
    products: int = 20,
    customers: int = 60,
    orders: int = 150,
    seed: int = 7,
    plan: str = "plus",
    quiet: bool = False,
) -> Iterator[SimulatedStore]:
    """Serve a store of this size on a free port; a `quiet` one keeps its errors to itself."""
    sizes = {"products": products, "customers": customers, "orders": orders, "seed": seed}
    options = [word for name, size in sizes.items() for word in (f"--{name}", str(size))]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "shopify_pipeline.cli",
            "store",
            "serve",
            "--port",
            "0",
            "--plan",
            plan,
            *options,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert " on http" in line, f"the store did not start: {line!r}"
        yield SimulatedStore(url=line.rsplit(" on ", 1)[1].strip())
    finally:
        process.terminate()
        process.wait(timeout=60)
