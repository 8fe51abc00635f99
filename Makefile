# make demo   does the main job on a machine that has only Python and make
# make test   lints, type-checks and tests
PYTHON ?= python3
VENV := .venv
OLDEST := .venv-oldest
MUTANTS := .venv-mutants
FUZZ := .venv-fuzz
DOCS := .venv-docs
RELEASE := .venv-release
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help needs demo jaeger jaeger-stop test lint format unit oldest backends faults soak start-matrix matrix bench mutants fuzz kill docs site report-picture release dashboard record scale-test lock wheel clean

help: ## all commands; how long they take on two cores, where it is minutes
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12
	@echo; echo "make test needs Go and Debian's prometheus and chromium for some tests: make needs says what is here."
	@echo "Where to read on: README.md, CONTRIBUTING.md, docs/index.md"

# BACKEND=jaeger shows them in a Jaeger behind a collector, both started by `make jaeger`.
demo: $(VENV)/ready $(BACKEND) ## conversations with a stand-in server, and what was recorded; BACKEND=jaeger sends it there
	$(BIN)/python -m tests.demo $(BACKEND)

# PROMETHEUS_PORT=9091 and the like (collector/stack/ports.py) move what another program has the port of.
jaeger: $(VENV)/ready ## collector, Jaeger and Prometheus on this machine (needs Go; builds Jaeger the first time: minutes)
	$(BIN)/python -m collector.stack start

jaeger-stop: $(VENV)/ready ## stop them; what they hold stays
	$(BIN)/python -m collector.stack stop

test: needs ## everything: lint, unit, oldest, backends, site, also after one failed; 20 minutes or more
	@$(MAKE) --keep-going --no-print-directory lint unit oldest backends site

needs: ## what the tests need beside Python and make, and what is skipped without it
	@echo "make test takes 20 minutes or more on two cores. Beside Python 3.10 or newer it uses:"
	@$(call uses,go,the tests through a real Jaeger and collector (Go 1.25 or newer; builds Jaeger the first time: minutes))
	@$(call uses,prometheus,alerts and the dashboard's queries: apt-get install prometheus)
	@$(call uses,chromium,reports in a browser: apt-get install chromium)

uses = if command -v $(1) >/dev/null; then echo "  $(1): here; $(2)"; else echo "  $(1): NOT HERE, skipped without it; $(2)"; fi

lint: $(VENV)/ready ## style, types, import directions: under a minute
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/ready ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Tests wait for servers much of their time: three at once keep two cores busy. Files stay whole: what is slow to make
# is made once for a file.
SPREAD := -n 3 --dist loadfile
# In some tests servers are timed to the millisecond, or their memory is watched: those have the machine for themselves.
TIMED := tests/serving/test_exchanges.py tests/serving/test_timeouts.py tests/soak
unit: $(VENV)/ready ## the tests on the newest web stack: 15 minutes; AILOOP_CHECKOUT adds the real server
	$(BIN)/python -m pytest -q $(SPREAD) $(TIMED:%=--ignore %) --ignore tests/stack
	$(BIN)/python -m pytest -q $(TIMED)

# What touches the web stack and each library that the package needs.
ON_OLDEST := tests/wire tests/test_switching_on.py tests/test_cli.py tests/process tests/doctor/test_versions.py \
  $(addprefix tests/measure/,client report results statistics)
# Tests that compare with functions which only a newer scipy has, and those in a browser.
NOT_THERE := -k "not (order_statistics_are_scipys or bootstrap_is_scipys)" --ignore tests/measure/report/test_browser.py
oldest: $(OLDEST)/ready ## the oldest of all that the package needs, and the web stack of today's AILoop: minutes
	$(OLDEST)/bin/python -m pytest -q $(SPREAD) $(NOT_THERE) $(ON_OLDEST)

# The longest first; a worker that begins with a single test has a second file in its queue, the fourth: a short one.
BEGIN := $(patsubst %,tests/stack/test_%.py,volume alerts collector running)
OUTAGE := tests/stack/test_outage.py
backends: $(VENV)/ready ## the tests through the real collector, Jaeger (needs Go) and Prometheus (Debian's): minutes
	$(BIN)/python -m pytest -q $(SPREAD) --no-loadscope-reorder \
	  $(BEGIN) $(filter-out $(BEGIN) $(OUTAGE),$(wildcard tests/stack/test_*.py))
	$(BIN)/python -m pytest -q $(OUTAGE)

# What has the machine for itself, and what needs the backends, in runs of their own.
FAULTS := $(BIN)/python -m pytest -q -m fault
faults: $(VENV)/ready ## what may go wrong, tried: writes docs/reliability.md; minutes
	rm -rf .faults
	$(FAULTS) $(SPREAD) $(TIMED:%=--ignore %) --ignore tests/stack --faults .faults/spread.json
	$(FAULTS) $(TIMED) --faults .faults/timed.json
	$(FAULTS) tests/stack --faults .faults/backends.json
	$(BIN)/python -m tests.reliability .faults/*.json

# Needs python3.10 to python3.13 on the PATH; a row says so where one is missing. ONLY="gunicorn daphne" for some rows.
start-matrix: $(VENV)/ready ## each way to start a server, beside others, on each Python: 15 minutes the first time
	$(BIN)/python -m tests.starts $(ONLY)

# Needs the Pythons too; without uv, which makes the environments, pip takes longer. With AILOOP_CHECKOUT=path:path the
# real servers' rows as well; ONLY="wrapt stand-in" for some rows.
matrix: $(VENV)/ready ## the compatibility table: each library's oldest and newest, on each Python: 12 minutes with uv
	$(BIN)/python -m tests.matrix $(ONLY)

soak: $(VENV)/ready ## 2,000 sessions of everything, the collector away twice: 11 minutes; SOAK_SECONDS=60 for one
	$(BIN)/python -m tests.soak

# Rows only: make bench ONLY="chunk exchange". With AILOOP_CHECKOUT and AILOOP_PYTHON, the real server too: 30 minutes.
bench: $(VENV)/ready ## what it costs, beside others: 10 minutes; QUICK=1 to try it: 3; ONLY=… for some rows
	$(BIN)/python -m tests.benchmarks $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

# The survivors are listed in docs/mutants.md. MODULE="answer traits" for some modules, SAMPLE=50 for so many mutants of
# each, AGAIN=1 for those that survived the last time, PAGE=1 to write the page.
mutants: $(MUTANTS)/ready ## faults that no test notices: MODULE=answer takes 5 minutes, all 2 hours; SAMPLE=50 15 minutes
	$(MUTANTS)/bin/python -m tests.mutants $(if $(MODULE),--module $(MODULE)) $(if $(SAMPLE),--sample $(SAMPLE)) \
	  $(if $(AGAIN),--again) $(if $(PAGE),--page)

# TARGET="frames runs" for some targets, FUZZ_EXAMPLES=10000 for so many in all, KEEP=1 to write docs/results/fuzz.json.
fuzz: $(FUZZ)/ready ## input that nobody would write, 300,000 times, to all that reads what others write: 15 minutes
	$(FUZZ)/bin/python -m tests.fuzz $(if $(FUZZ_EXAMPLES),--examples $(FUZZ_EXAMPLES)) $(if $(TARGET),--target $(TARGET)) \
	  $(if $(KEEP),--keep)

# KILLS=12 for so many, KEEP=1 to write docs/results/kill.json; AILOOP_CHECKOUT and AILOOP_PYTHON add the real server.
kill: $(VENV)/ready ## servers killed at 50 random moments: what they had written is read and delivered: 5 minutes
	$(BIN)/python -m tests.kill $(if $(KILLS),--kills $(KILLS)) $(if $(KEEP),--keep)

# MESSAGES=2000 SCALE_RATE=100 for a short one, which is kept only with KEEP=1. SCALE_FOLDER names the disk for its data.
scale-test: $(VENV)/ready ## the chain for many servers, its programs killed (needs Go, Java, Maven): half an hour
	$(BIN)/python -m pytest -q -m scale tests/stack tests/kubernetes
	$(BIN)/python -m tests.scale $(MESSAGES)

docs: $(VENV)/ready ## write the pages, outputs and pictures that are made from the code, and build the site: 2 minutes
	$(BIN)/python -m tests.reference
	$(BIN)/python -m tests.json_page
	$(BIN)/python -m tests.architecture
	$(BIN)/python -m tests.docs
	$(MAKE) site

site: $(DOCS)/ready ## the documentation as a site in site/, with warnings as errors: a minute the first time
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet --strict

report-picture: $(VENV)/ready ## draw docs/report.png from a load on the stand-in, or on CHECKOUT: 2 minutes (needs chromium)
	$(BIN)/python -m tests.docs.report_picture $(if $(CHECKOUT),--checkout $(CHECKOUT)) $(if $(AILOOP_PYTHON),--python $(AILOOP_PYTHON))

release: $(VENV)/ready $(RELEASE)/ready lint ## all of a release but the upload: docs/releases.md; some minutes
	$(RELEASE)/bin/python -m tests.release

dashboard: $(VENV)/ready ## write Grafana's dashboards, collector/grafana/*.json (Python 3.11 or newer)
	$(BIN)/python -m collector.grafana.dashboard
	$(BIN)/python -m collector.grafana.fleet

record: $(VENV)/ready ## record the real server's transcripts again: make record CHECKOUT=… [AILOOP_PYTHON=…]
	$(BIN)/python -m tests.ailoop.record $(CHECKOUT) $(if $(AILOOP_PYTHON),--python $(AILOOP_PYTHON))

wheel: $(VENV)/ready ## wheel and sdist into dist/
	$(BIN)/python -m build --no-isolation

STARTS := servers python sentry ddtrace logfire newrelic elastic otel
BENCH := ailoop otel logfire ddtrace profiler
lock: ## resolve the development requirements again (needs uv)
	for name in dev oldest mutants fuzz docs release $(BENCH:%=bench-%) $(STARTS:%=start-%); do \
	  uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    --python-version 3.10 --upgrade requirements/$$name.in --output-file requirements/$$name.txt; \
	done

clean: ## remove all that was made here
	rm -rf $(VENV) $(OLDEST) $(MUTANTS) $(FUZZ) $(DOCS) $(RELEASE) site .bench .faults .starts .matrix .mutants dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache ailoop-telemetry

$(VENV)/ready: requirements/dev.txt pyproject.toml ailoop_otel/startup/ailoop_otel.pth
	$(call environment,$(VENV),dev)

# What builds the package needs a newer `packaging` than the oldest: the development environment builds it for that one.
$(OLDEST)/ready: requirements/oldest.txt pyproject.toml ailoop_otel/startup/ailoop_otel.pth | $(VENV)/ready
	test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/oldest.txt
	rm -rf $(OLDEST)/wheel
	$(BIN)/python -c 'from hatchling.build import build_editable; build_editable("$(OLDEST)/wheel")'
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall $(OLDEST)/wheel/*.whl
	touch $@

# The package itself is not installed there: the tests import the mutated copy.
$(MUTANTS)/ready: requirements/dev.txt requirements/mutants.txt
	test -x $(MUTANTS)/bin/python || $(PYTHON) -m venv $(MUTANTS)
	$(MUTANTS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r requirements/dev.txt -r requirements/mutants.txt
	touch $@

# The package itself is not installed in these two: they read its files.
$(DOCS)/ready $(RELEASE)/ready: .venv-%/ready: requirements/%.txt
	test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$*.txt
	touch $@

# The package itself is not installed there: it is imported from here.
$(FUZZ)/ready: requirements/dev.txt requirements/fuzz.txt
	test -x $(FUZZ)/bin/python || $(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r requirements/dev.txt -r requirements/fuzz.txt
	touch $@

define environment
	test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$(2).txt
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
endef
