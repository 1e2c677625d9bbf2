# For work on the code, inside a virtual environment. .ci/run does all of it from nothing.
.PHONY: help setup format lint test
.DEFAULT_GOAL := help

help: ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

setup: ## install the program from this folder, with the tools for its development
	python -m pip install -e ".[dev]"

format: ## put the code into its form
	ruff check --fix .
	ruff format .

lint: ## check form, types and layers
	ruff check .
	ruff format --check .
	mypy
	lint-imports

test: ## run the tests
	python -m pytest
