# make demo        a shop window: three tenants on SQLite, served at http://acme.localhost:8000
# make demo-sso    the same, with the tenants' own providers: real OpenID providers and an LDAP directory
# make test        everything that CI runs: checks, and all tests on the built wheel, in under 15 minutes
# make test-full   the same at full length, on every pair of versions: hours rather than minutes
# make check       lint, format, types, import contracts
# make translations  brings the catalogues of our pages and mails up to date
# make bench       what the wall costs, as ratios
# make soak        ten minutes of load, with changes, a Redis that dies and clients that hang up
# make clean       removes all that the others made
#
# All of them set up what they need first; the set-up is tools/provision.py.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))
PYTHON ?= $(shell for p in python3.11 python3 python3.12 /usr/bin/python3; do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)
PROVISION = $(PYTHON) tools/provision.py
MAIN := .build/main/bin
# Tests run in a copy of the repository without the package's source, so that they can only import the wheel.
TESTROOT := .build/root
# More workers than cores: much of the time, tests wait for servers of their own.
XDIST ?= -n 4 --dist worksteal
PORT ?= 8000
# Tests make thousands of small databases: in memory, where there is room, none of them waits for a disc.
ROOM := $(shell [ "$$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 4000000 ] 2>/dev/null \
	&& ! findmnt -no OPTIONS /dev/shm | grep -q noexec && echo /dev/shm)

.PHONY: help translations demo demo-sso test test-full check check-only bench soak clean python

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

python:
	@$(or $(PYTHON),false) -c '$(SUPPORTED)' || { \
		echo 'Python 3.11 or 3.12 is needed. On Debian: apt-get install python3 python3-venv' >&2; exit 1; }

translations: python
	@$(PROVISION) env main
	@cd $(CURDIR) && PYTHONPATH=$(CURDIR) .build/main/bin/python -m tools.translations

demo: python
	@$(PROVISION) env demo
	@.venv/bin/python -m tools.demo --port $(PORT)

demo-sso: python
	@$(PROVISION) debian slapd nodejs npm
	@$(PROVISION) npm
	@$(PROVISION) env demo-sso
	@.build/demo-sso/bin/python -m tools.demo_sso --port $(PORT)

test test-full: export TENANCY_TEST_WHEEL := 1
test test-full: export TENANCY_BUILD := $(CURDIR)/.build
test test-full: export TMPDIR := $(or $(TMPDIR),$(ROOM))
test: python
	@$(PROVISION) debian postgresql pgbouncer redis-server chromium slapd nodejs npm
	@$(PROVISION) npm
	@$(PROVISION) env main other ihatemoney
	@$(MAKE) check-only
	@echo '== everything, SQLAlchemy 2.1'
	@cd $(TESTROOT) && ../main/bin/pytest $(XDIST) $(ARGS)
	@echo "== again with SQLAlchemy 2.0 on $$(.build/other/bin/python -V)"
	@cd $(TESTROOT) && TENANCY_AGAIN=1 ../other/bin/pytest $(XDIST) -m 'not once' $(ARGS)

test-full: export TENANCY_FULL := 1
test-full: test
	@$(PROVISION) env sa20 py312
	@echo '== again with SQLAlchemy 2.0 on the main Python'
	@cd $(TESTROOT) && ../sa20/bin/pytest $(XDIST) -m 'not once' $(ARGS)
	@if [ -x .build/py312/bin/pytest ]; then \
		echo '== again with SQLAlchemy 2.1 on Python 3.12'; \
		cd $(TESTROOT) && ../py312/bin/pytest $(XDIST) -m 'not once' $(ARGS); \
	fi

check: python
	@$(PROVISION) env main
	@$(MAKE) check-only

check-only:
	@echo '== checks'
	$(MAIN)/ruff check --output-format concise .
	$(MAIN)/ruff format --check .
	$(MAIN)/mypy
	$(MAIN)/lint-imports

bench: python
	@$(PROVISION) debian postgresql redis-server
	@$(PROVISION) env main beside
	@$(MAIN)/python -m bench $(ARGS)
	@$(if $(ARGS),true,echo '== the directory'; $(MAIN)/python -m bench.directory)
	@$(if $(ARGS),true,echo '== the edge'; $(MAIN)/python -m bench.edges)
	@$(if $(ARGS),true,echo '== beside django-tenants'; $(MAIN)/python -m bench.beside)

soak: python
	@$(PROVISION) debian postgresql redis-server
	@$(PROVISION) env main
	@$(MAIN)/python -m bench.soak $(ARGS)

clean:
	rm -rf .build .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
