"""Messages from a file, as many as there are: JSON Lines with one object a line, or CSV with a header.

{"text": "Name three colours.", "name": "short", "weight": 3}

The names of members and columns are the settings of `[[messages]]`: text, and where wanted name, weight and expects.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.load.checked_table import read
from ailoop_otel.recorded.input_file import read_text

_CSV: Final = ".csv"


def messages_of(path: Path, kind: Any) -> list[dict[str, Any]]:
    """The tables of all messages in a file, `.csv` or any other name for JSON Lines, checked as of the class `kind`.

    Raises Refusal for a file that cannot be read, and names the line of a message that is not valid.
    """
    try:
        text = read_text(path)
        rows = list(_csv_rows(text) if path.suffix.lower() == _CSV else _json_rows(text, path))
    except OSError as error:
        raise Refusal(f"the messages {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refusal(f"the messages {path} are not UTF-8 text") from error
    except csv.Error as error:
        raise Refusal(f"the messages {path} are not CSV: {error}") from error
    if not rows:
        raise Refusal(f"{path} holds no messages")
    for line, row in rows:
        if not str(read(kind, row, f"{path}, line {line}").text).strip():
            raise Refusal(f"{path}, line {line}: a message without text; the server would not ask its AI")
    return [row for _, row in rows]


def _json_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, content in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if not content.strip():
            continue
        row = None
        with suppress(ValueError, RecursionError):
            row = json.loads(content)
        if not isinstance(row, dict):
            raise Refusal(f'{path}, line {line}: no JSON object; a message is written {{"text": "hello"}}')
        yield line, row


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), restkey="more cells than columns", strict=True)
    for row in reader:
        given: dict[str, Any] = {name: value for name, value in row.items() if value}
        with suppress(ValueError, KeyError):
            given["weight"] = float(given["weight"])
        yield reader.line_num, given
