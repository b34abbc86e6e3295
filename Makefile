# One way to run each thing, the same for people and for CI. `make` alone lists the targets.
#
# Needs python3 (3.11 or newer) with pip, make and git. Everything else goes into .venv and .cache of this checkout:
# uv itself is put there by pip, because not every Python has ensurepip, and it uses the Python that is there.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo check test soak bench clean lint
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory --no-builtin-rules

UV_VERSION := 0.13.8
UV := .cache/uv/bin/uv

export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON_PREFERENCE := only-system
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.venv
export UV_NO_PROGRESS := 1
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

# Without a home that can be written, downloads are kept in the checkout.
ifneq ($(shell test -n "$${HOME:-}" && test -w "$${HOME:-}" && echo yes),yes)
export UV_CACHE_DIR ?= $(CURDIR)/.cache/uv-downloads
export PIP_NO_CACHE_DIR := 1
endif

# An account of the caller's own must never pay for a demo or a test.
$(foreach name,$(filter GENSTEP_%,$(.VARIABLES)),$(eval unexport $(name)))

PYTEST := .venv/bin/python -m pytest -n auto --maxprocesses=4 --dist=worksteal

help:
	@echo 'make demo    set up, and make a first picture in the sandbox: no key, no cost'
	@echo 'make check   the quick inner loop: lint, types, fast tests'
	@echo 'make test    lint, types and every behaviour once; the core with httpx and with httpx2'
	@echo 'make soak    the same suites at high counts'
	@echo 'make bench   requests, waiting, CPU, memory and lost answers, beside other SDKs: one table'
	@echo 'make clean   remove everything that the other targets made'

# ---- setting up: seconds when nothing changed

.cache/uv/$(UV_VERSION):
	@command -v python3 >/dev/null || { echo 'python3 (3.11 or newer) is missing: install it and run make again' >&2; exit 1; }
	@python3 -m pip --version >/dev/null || { echo 'pip is missing: install it (on Debian: apt-get install python3-pip) and run make again' >&2; exit 1; }
	@rm -rf .cache/uv
	@PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
		python3 -m pip install --quiet --no-deps --target .cache/uv 'uv==$(UV_VERSION)'
	@touch $@

.venv/.ready: .cache/uv/$(UV_VERSION) uv.lock pyproject.toml $(wildcard */pyproject.toml)
	@echo "setting up .venv" >&2
	@$(UV) sync --locked --quiet
	@touch $@

# ---- what people run

demo: .venv/.ready
	@GENSTEP_HOME="$(CURDIR)/.cache/demo" GENSTEP_OUTPUT="$(CURDIR)/demo" \
		.venv/bin/genstep generate --aspect-ratio 16:9 "a red fox in the snow"

lint: .venv/.ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

check: lint
	$(PYTEST) -m 'not slow'

test: lint
	.ci/system-packages
	$(PYTEST)
	GENSTEP_HTTP=httpx2 $(PYTEST) tests/core

soak: lint
	.ci/system-packages
	GENSTEP_SOAK=1 $(PYTEST)
	GENSTEP_SOAK=1 GENSTEP_HTTP=httpx2 $(PYTEST) tests/core

# The peers are no part of the workspace's lock; genstep is installed beside them, as a user would.
.cache/bench/.ready: .cache/uv/$(UV_VERSION) tests/bench/peers.txt
	@$(UV) venv --quiet --clear .cache/bench
	@$(UV) pip install --quiet --compile-bytecode --python .cache/bench -r tests/bench/peers.txt
	@touch $@

.cache/bench-litellm/.ready: .cache/uv/$(UV_VERSION) tests/bench/litellm.txt
	@$(UV) venv --quiet --clear .cache/bench-litellm
	@$(UV) pip install --quiet --compile-bytecode --python .cache/bench-litellm -r tests/bench/litellm.txt
	@touch $@

bench: .cache/bench/.ready .cache/bench-litellm/.ready
	@$(UV) pip install --quiet --compile-bytecode --python .cache/bench --reinstall-package genstep ./core
	@.cache/bench/bin/python tests/bench/table.py

clean:
	rm -rf .venv .cache .hypothesis demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
