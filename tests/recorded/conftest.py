"""The sample writer that the view's tests use."""

from tests.view.conftest import sample

__all__ = ["sample"]
