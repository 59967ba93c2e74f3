# `make demo` shows a call on this machine; `make test` checks everything; both bring what they need into .venv.

BIN := .venv/bin
DIR := bench-results

.PHONY: help setup demo test bench
help:
	@echo 'make setup   bring what nerfcall needs into .venv (a second run takes a second)'
	@echo 'make demo    play the shipped avatar through a real call on this machine'
	@echo 'make test    run the linters, the type checker and the tests'
	@echo 'make bench CLIPS="me.mp4@60 you.mp4@50" DIR=results   measure against other codecs and write a report'

setup:
	@.ci/setup

demo: setup
	@$(BIN)/nerfcall demo

# As modules: what the Python below the environment has already, say pytest, gets no script in it.
test:
	@.ci/setup dev bench
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check --quiet
	$(BIN)/python -m mypy
	$(BIN)/python -c 'from importlinter.cli import lint_imports_command as lint; lint()' --no-logo
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

bench:
	@if [ -z "$(CLIPS)" ]; then echo 'say which clips of one person each, and from which second they are held out: make bench CLIPS="me.mp4@60" DIR=results'; exit 2; fi
	@.ci/setup bench
	$(BIN)/nerfcall bench quality --clips $(CLIPS) -o $(DIR)
	$(BIN)/nerfcall bench rate-distortion --clips $(CLIPS) -o $(DIR)
	$(BIN)/nerfcall bench resolution --clips $(CLIPS) -o $(DIR)
	$(BIN)/nerfcall bench ablation --clips $(CLIPS) -o $(DIR)
	$(BIN)/nerfcall bench tracking --clips $(CLIPS) -o $(DIR)
	$(BIN)/nerfcall bench rate --clips $(CLIPS) -o $(DIR)
	$(BIN)/nerfcall bench loss -o $(DIR)
	$(BIN)/nerfcall bench report $(DIR) -o $(DIR)/report
