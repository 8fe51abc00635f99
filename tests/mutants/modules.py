"""Which modules are mutated, and the tests that are run against their mutants."""

from __future__ import annotations

from typing import Final

_ROOMS: Final = {
    "protocol": ("answer", "traits", "stateless", "delegates", "registry", "plugins"),
    "tracking": ("exchange", "watchdog", "sessions"),
    "wire": ("connection", "correlation", "socket", "state", "calls"),
    "measure/statistics": ("estimates", "intervals", "percentiles"),
}
# Their files, by the names that MODULE takes.
MODULES: Final = {name: f"ailoop_otel/{room}/{name}.py" for room, names in _ROOMS.items() for name in names}
# Of these the ones are run that call the mutated function. All run in one process.
TESTS: Final = ("tests/protocol", "tests/tracking", "tests/wire", "tests/measure/statistics")
# These take seconds each, being about all combinations of traits, costs, bounds or forks, or they are about another
# module. The one of the registry names a line of a traceback, where the mutated copy has other names.
LEFT_OUT: Final = (
    "tests/protocol/test_jsonrpc.py",
    "tests/protocol/test_combinations.py",
    "tests/protocol/test_registry.py::test_a_form_that_fails_is_left_out_and_its_frames_are_parsed",
    "tests/tracking/test_watchdog.py::test_an_exchange_costs_the_logarithm_of_how_many_there_are",
    "tests/tracking/test_watchdog.py::test_ten_thousand_due_at_once_are_all_noticed_before_one_is_told",
    "tests/tracking/test_watchdog_bounds.py::test_entries_of_what_has_ended_do_not_pile_up",
    "tests/tracking/test_watchdog_thread.py::test_it_survives_a_fork",
)
