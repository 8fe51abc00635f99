"""A package that imports its main module, so that `python -m` executes that twice."""

from . import main as main
