"""Structured answers: what of a JSON text, whole or still growing, is for the reader's eyes."""

import json
import re
from typing import Any

PARTS = ("analysis", "commentary", "final")
_GROWING_FINAL = re.compile(r'"final"\s*:\s*"([^"]*)')


def parsed(text: Any) -> dict[str, Any] | None:
    """Return a text that is a JSON object as one, else None."""
    if not isinstance(text, str) or not text.strip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def has_all_parts(value: dict[str, Any] | None) -> bool:
    """Whether an object is a whole structured answer."""
    return value is not None and all(each in value for each in PARTS)


def normalized(text: str) -> dict[str, Any]:
    """Return an answer's three parts; plain text is all final."""
    value = parsed(text)
    return value if value and has_all_parts(value) else {"analysis": "", "commentary": "", "final": text}


def lacks_final(text: str) -> bool:
    """Whether a JSON text has analysis and commentary but nothing to show."""
    return text.strip().startswith("{") and '"analysis"' in text and '"commentary"' in text and '"final"' not in text


def shown_of_growing(text: str) -> tuple[str, dict[str, Any] | None]:
    """Return what may be shown of a JSON text that still grows, and the object once it can be read."""
    closed = text.strip() + "}" * (text.count("{") - text.count("}"))
    try:
        value = json.loads(closed)
    except json.JSONDecodeError:
        found = _GROWING_FINAL.search(text)
        return (found.group(1).replace("\\n", "\n").replace('\\"', '"') if found else ""), None
    return value.get("final", ""), value


def cleaned_reply(response: Any) -> Any:
    """Return the answer for the response: `final` or `response` of a JSON text, nothing if it has neither."""
    if not isinstance(response, str):
        return response
    value = parsed(response)
    if response.strip().startswith("{") and ("analysis" in response or "commentary" in response):
        return (value or {}).get("final") or ""
    if value is not None and "response" in value:
        return value["response"]
    return response
