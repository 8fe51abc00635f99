"""The coverage-guided engine, atheris: it changes bytes and keeps the changes that reach new code of the package.

    python -m tests.fuzz.guided TARGET EXAMPLES SEED FOLDER

It checks one target and ends with its process, as libFuzzer does; what fails is in FOLDER. https://github.com/google/atheris
"""  # fmt: skip

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

_DONE = re.compile(r"^Done (\d+) runs", re.MULTILINE)
# Bytes: an example is a few lines.
_LONGEST = 4096


def run(name: str, examples: int, seed: int) -> int:
    """Check so many examples of a target in a process of its own; raises AssertionError with what one of them did."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", __name__, name, str(examples), str(seed), folder]
        process = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        crashes = [path.read_bytes() for path in Path(folder).glob("crash-*")]
    done = _DONE.search(process.stderr)
    if process.returncode or done is None or crashes:
        raise AssertionError(f"{name}: {crashes or process.returncode}\n{process.stderr[-4000:]}")
    return int(done[1])


def main(name: str, examples: str, seed: str, folder: str) -> None:
    """Does not return."""
    import atheris

    with atheris.instrument_imports(include=["ailoop_otel"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    corpus = Path(folder) / "corpus"
    corpus.mkdir()
    for number, content in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(content)
    options = [f"-runs={examples}", f"-seed={seed}", f"-max_len={_LONGEST}", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: target.check(target.from_bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
