# Every command of the project. `make` alone prints them.
#
# study and lab take DATA=folder SIZE=pixels EPOCHS=n SEEDS=n TRIALS=side-by-side, study SWEEP=file; serve takes PORT=n;
# report and notebooks take STUDY=entity/project/sweep, several between quotes, or the folder of an exported study.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PORT ?= 8080
export NO_ALBUMENTATIONS_UPDATE := 1

.PHONY: help setup study lab report notebooks publish serve test test-slow check pins map

help:
	@echo 'make study    train the eight models and compare them; DATA=folder SIZE=pixels EPOCHS=n SEEDS=n'
	@echo 'make lab      the sheet whole: ten models at 512x512, table, curves, masks, report, notebooks; DATA=folder'
	@echo 'make report   the last study as one HTML file; STUDY=entity/project/sweep for another'
	@echo 'make notebooks  four notebooks of the last study, run; STUDY=entity/project/sweep for another'
	@echo 'make publish  the same into analysis/notebooks, which git tracks'
	@echo 'make serve    look at the runs again in a browser; PORT=8080'
	@echo 'make test     run the tests but the slow ones, in under 10 minutes on 2 cores'
	@echo 'make test-slow  run those: whole studies, kills, old clients, a real Slurm'
	@echo 'make check    ruff, mypy, the sweeps, and the rules of the architecture'
	@echo 'make setup    only install: .venv with the exact versions of requirements.txt'
	@echo 'make pins     write requirements.txt anew from requirements.in'
	@echo 'make map      write the modules in docs/architecture.md anew from their docstrings'

setup: $(VENV)/installed

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'python3 is older than 3.11: install a newer one, or name it with PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null \
	  || { echo 'this python3 cannot make environments: install its venv module (Debian: python3-venv)'; exit 1; }
	@echo 'setting up $(VENV): about 5 GB, 3 to 6 minutes'
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m common.install requirements.txt
	@touch $@

STUDY_FLAGS = $(if $(DATA),--data "$$STUDY_DATA") $(if $(SIZE),--size $(SIZE)) $(if $(EPOCHS),--epochs $(EPOCHS)) \
  $(if $(SEEDS),--seeds $(SEEDS)) $(if $(TRIALS),--trials $(TRIALS))

study lab: export STUDY_DATA := $(DATA)
study: export STUDY_SWEEP := $(SWEEP)
study: setup
	@$(PY) -m study $(STUDY_FLAGS) $(if $(SWEEP),--sweep "$$STUDY_SWEEP")

lab: setup
	@$(PY) -m study $(STUDY_FLAGS) --sweep sweeps/lab.yaml
	@$(PY) -m study.with_server analysis.report
	@$(PY) -m study.with_server analysis.notebooks

report: export REPORT_STUDY := $(STUDY)
report: setup
	@$(PY) -m study.with_server analysis.report $(if $(STUDY),$$REPORT_STUDY)

notebooks: export NOTEBOOKS_STUDY := $(STUDY)
notebooks: setup
	@$(PY) -m study.with_server analysis.notebooks $(if $(STUDY),$$NOTEBOOKS_STUDY)

publish: export NOTEBOOKS_STUDY := $(STUDY)
publish: setup
	@$(PY) -m study.with_server analysis.notebooks --out analysis/notebooks $(if $(STUDY),$$NOTEBOOKS_STUDY)

serve: setup
	@$(PY) -m server --port $(PORT) --dir results/server

test: setup
	@$(PY) -m pytest --numprocesses 2 --dist loadfile -m 'not slow'

test-slow: setup
	@$(PY) -m pytest --numprocesses 2 --dist loadfile -m slow

check: setup
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(PY) -m agent.lint sweeps/*.yaml
	@$(PY) -m pytest -q tests/test_architecture.py tests/test_readme.py

pins:
	@$(PYTHON) -m venv .cache/uv && .cache/uv/bin/pip install --quiet --disable-pip-version-check uv
	@.cache/uv/bin/uv pip compile requirements.in --quiet --universal --python-version 3.11 --no-header --no-annotate \
	  --no-emit-index-url --output-file requirements.txt

map: setup
	@$(PY) -m tests.module_map
