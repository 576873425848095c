# Two commands: `make book` and `make test`. Each does its own set-up in .venv.
# Needs Python 3.11 or newer with venv, and make; nothing else.

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV = .venv/bin
LINTED = omt_course tests $(wildcard benchmarks assignments data/*.py) \
	book/build.py $(wildcard $(addprefix book/,formats.py printed.py publish.py run_notebooks.py)) book/_ext
export OMP_NUM_THREADS ?= 1

COURSE ?= classroom

.PHONY: help book test serve pdf zip notebooks linkcheck assignments grade clean

help:
	@echo "make book         execute every page and write _build/html/index.html"
	@echo "make test         ruff, unit tests, doctests, page contracts, the built site in a browser"
	@echo "make serve        the built site on http://127.0.0.1:8000"
	@echo "make pdf          the built site as one book, _build/omt-course-<version>.pdf"
	@echo "make zip          the built site to read without a network, _build/omt-course-<version>.zip"
	@echo "make notebooks    an .ipynb of every page in _build/notebooks"
	@echo "make linkcheck    every link of the book, over the network"
	@echo "make assignments  the problem sets for students, in $(COURSE)/release"
	@echo "make grade        all of $(COURSE)/submitted: feedback, $(COURSE)/grades-<set>.csv"
	@echo "                  COURSE=folder names another course, PS=ps1 one problem set"
	@echo "make clean        remove what was built (.venv and $(COURSE) stay)"

book: .venv/.book
	@$(VENV)/python book/build.py html

test: .venv/.test
	@$(VENV)/ruff check $(LINTED)
	@$(VENV)/ruff format --check $(LINTED)
	@MPLBACKEND=agg $(VENV)/python -m pytest -rs

serve: .venv/.book
	@$(VENV)/python book/build.py serve

pdf: .venv/.test
	@$(VENV)/python book/formats.py pdf

zip: .venv/.book
	@$(VENV)/python book/formats.py zip

notebooks: .venv/.book
	@$(VENV)/python book/build.py notebooks

linkcheck: .venv/.book
	@$(VENV)/python book/build.py linkcheck

assignments: .venv/.test
	@$(VENV)/python -m assignments.course --course "$(COURSE)" $(PS)

grade: .venv/.test
	@$(VENV)/python -m assignments.grade --course "$(COURSE)" $(PS)

clean:
	rm -rf _build build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find omt_course tests benchmarks book -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make an installation happen once, and again when what it depends on changes.
.venv/.book: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "FAILED: no Python 3.11 or newer found; set PYTHON=..."; exit 1; }
	@$(PYTHON) book/build.py install --extras book
	@touch $@

.venv/.test: .venv/.book
	@$(PYTHON) book/build.py install --extras book,test,assignments
	@touch $@
