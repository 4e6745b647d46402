"""A simulated store of any size, kept on disk, for as long as a block lasts."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shopify_pipeline_tests.simulated import SimulatedStore


@contextmanager
def serving_from_disk(directory: Path, *, orders: int, log: Path) -> Iterator[SimulatedStore]:
    """Serve the store of a directory, filled first where it is empty: minutes for a million.

    Raises:
        RuntimeError: it did not start.
    """
    sizes = {
        "products": max(50, orders // 80),
        "customers": max(100, orders // 5),
        "orders": orders,
    }
    command = [sys.executable, "-m", "shopify_pipeline.cli", "store", "serve", "--port", "0"]
    command += ["--plan", "plus", "--data-dir", str(directory)]
    command += [word for name, size in sizes.items() for word in (f"--{name}", str(size))]
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if " on http" not in line:
            raise RuntimeError(f"the store did not start: {log.read_text()[-2000:]}")
        yield SimulatedStore(url=line.rsplit(" on ", 1)[1].strip())
    finally:
        process.terminate()
        process.wait(timeout=30)
