"""A hook of MkDocs: pages that stand outside of docs/, and links that lead out of it.

Markdown in docs/ is read in two places: on the repository's pages, where links lead to files, and on the site. There a
link to a file that the site has as a page leads to that page, and a link to any other file becomes its path, as the
site does not have it. A link to a file that is not there is a warning, and warnings are errors.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File, Files

_ROOT: Final = Path(__file__).parent.parent.parent
# By path in the repository: the page of the site.
_OUTSIDE: Final = {
    "collector/README.md": "collector.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
_LINK: Final = re.compile(r"(?<!!)\[(?P<text>[^\]\n]+)\]\((?P<target>[^)\s:]+?)(?P<anchor>#[^)\s]*)?\)")
_log: Final = logging.getLogger("mkdocs.hooks.site")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from outside of docs/, and the repository's picture of each."""
    for source, name in _OUTSIDE.items():
        files.append(File.generated(config, name, content=(_ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links that lead out of docs/ to where they lead on the site."""
    name = page.file.src_uri
    source = next((path for path, made in _OUTSIDE.items() if made == name), f"docs/{name}")

    def lead(match: re.Match[str]) -> str:
        target = os.path.normpath(os.path.join(os.path.dirname(source), match["target"]))
        if target in _OUTSIDE:
            place = _OUTSIDE[target]
        elif target.startswith("docs/") and (_ROOT / target).exists():
            place = target.removeprefix("docs/")
        elif (_ROOT / target).exists():
            return match["text"] if match["text"].strip("`") == target else f"{match['text']} (`{target}`)"
        else:
            _log.warning("%s has a link to %s, which is not there", source, target)
            return match[0]
        return f"[{match['text']}]({os.path.relpath(place, os.path.dirname(name) or '.')}{match['anchor'] or ''})"

    return _LINK.sub(lead, markdown)
