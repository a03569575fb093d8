# Thin on purpose: each target is one or two lines. `make help` lists them.
PY := .venv/bin/python

.PHONY: help install demo test check bench faults evaluate models lock
help:            ## this list
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

install:         ## everything `demo` and `test` need, into this checkout; seconds when nothing changed
	@deploy/local/bootstrap.sh

demo: install    ## the whole line on this machine; INPUT=folder|video|rtsp HOTLIST=file.csv for yours
	@$(PY) -m alpr_local demo $(if $(INPUT),--input "$(INPUT)") $(if $(HOTLIST),--hotlist "$(HOTLIST)")

# Files in their own order: real servers first, and the many quick unit tests fill the end.
test: install    ## all tests, on real servers and a real browser
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: install   ## format, types, import contracts, unit tests: under a minute
	@.venv/bin/ruff check && .venv/bin/ruff format --check -q && .venv/bin/mypy && .venv/bin/lint-imports --no-logo
	@$(PY) -m pytest -q -n 2 tests/unit tests/contracts -m "not integration and not e2e and not browser and not gpu and not slow"

bench: install   ## the speed figures, as JSON
	@$(PY) -m bench

faults: install  ## fifty seeded rounds of kills, pauses and restarts (`make test` runs five)
	@ALPR_FAULT_ROUNDS=50 $(PY) -m pytest -q tests/faults

evaluate: install ## DATA=folder with labels.csv: how well plates are read
	@.venv/bin/alpr evaluate "$(DATA)"

models:          ## train the shipped weights again (hours; Ctrl-C stops, the same command continues)
	@deploy/local/bootstrap.sh --gpu && .venv-gpu/bin/python -m alpr_training models

lock:            ## compile requirements/*.in into hashed locks
	@deploy/local/lock.sh
