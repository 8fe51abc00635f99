"""All targets, by name."""

from __future__ import annotations

from tests.fuzz import conversations, frames, provider_streams, recorded_files, recorded_lines, runs

TARGETS = {
    module.TARGET.name: module.TARGET
    for module in (recorded_lines, recorded_files, runs, frames, conversations, provider_streams)
}
