# `make demo` shows a call on this machine; `make test` checks everything; both bring what they need into .venv.

BIN := .venv/bin

.PHONY: help setup demo test
help:
	@echo 'make setup   bring what nerfcall needs into .venv (a second run takes a second)'
	@echo 'make demo    play the shipped avatar through a real call on this machine'
	@echo 'make test    run the linters, the type checker and the tests'

setup:
	@.ci/setup

demo: setup
	@$(BIN)/nerfcall demo

test: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest
