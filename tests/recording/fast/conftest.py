"""As in tests/export: an empty environment, no global providers, a folder of its own."""

from tests.export.conftest import _clean, guard  # noqa: F401
