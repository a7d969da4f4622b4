# One door to everything. `make help` lists the targets and what each one needs.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
RUN := $(VENV)/bin
ARGS ?=

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

ENV ?= dev

##@ No cloud account needed

.PHONY: demo
demo: $(VENV)/.ready ## Run the workflow on all three clouds on this machine and check every promise (ARGS="--help" shows options)
	@$(RUN)/orderflow demo $(ARGS)

.PHONY: up
up: $(VENV)/.ready ## Start the three clouds and keep them running until Ctrl-C (ARGS="--cloud gcp" for one)
	@$(RUN)/orderflow up $(ARGS)

.PHONY: test
test: $(VENV)/.ready ## Run every test that this machine can run (ARGS="tests/unit" for some)
	@$(if $(ARGS),$(RUN)/python -m pytest $(ARGS),$(MAKE) --no-print-directory test-parts conformance test-demo)

# Not for people: what `make test` is made of. Tests that need nothing of the machine's time go side by side.
.PHONY: test-parts test-demo
test-parts:
	@$(RUN)/python -m pytest tests --ignore=tests/conformance --ignore=tests/demo -n 2 --dist worksteal
test-demo:
	@$(RUN)/python -m pytest tests/demo -n 2 --dist loadfile

.PHONY: conformance
conformance: $(VENV)/.ready ## Hold one suite against every cloud (CLOUD=aws for one; TARGET=deployed ENV=dev for what is deployed)
	@CONFORMANCE_CLOUD=$(or $(CLOUD),all) CONFORMANCE_TARGET=$(or $(TARGET),local) CONFORMANCE_ENV=$(ENV) \
		CONFORMANCE_REPORT=build/conformance/report $(RUN)/python -m pytest tests/conformance -n 3 --dist loadgroup \
		--junitxml=build/conformance/junit.xml $(ARGS)

.PHONY: conformance-full
conformance-full: $(VENV)/.ready ## Hold the cases that take too long for every commit against every cloud (CLOUD=aws for one)
	@CONFORMANCE_CLOUD=$(or $(CLOUD),all) CONFORMANCE_TARGET=$(or $(TARGET),local) CONFORMANCE_ENV=$(ENV) \
		CONFORMANCE_PROFILE=full CONFORMANCE_REPORT=build/conformance/full $(RUN)/python -m pytest tests/conformance \
		--junitxml=build/conformance/junit-full.xml $(ARGS)

.PHONY: conformance-bugs
conformance-bugs: $(VENV)/.ready ## Plant bugs in the adapters one at a time and see which case of the suite fails (CLOUD=aws for one; hours)
	@PYTHONPATH=tests $(RUN)/python -m conformance.planting --cloud $(or $(CLOUD),all) $(ARGS)

.PHONY: simulate
simulate: $(VENV)/.ready ## Break the workflow at every step on simulated clouds (RUNS=10000 SEED=1 PROFILE=sqs; ARGS="--report FILE")
	@PYTHONPATH=tests $(RUN)/python -m simulation --runs $(or $(RUNS),1000) --seed $(or $(SEED),0) \
		--profile $(or $(PROFILE),all) $(ARGS)

.PHONY: mutate
mutate: $(VENV)/.ready ## Change the rules one small thing at a time and see whether a test notices (MODULE=services/order; about an hour)
	@$(RUN)/python tools/mutate $(MODULE)

.PHONY: bench
bench: $(VENV)/.ready ## Measure what an event costs, beside peers that do the same work (ARGS="--smoke" for a short look)
	@$(RUN)/python -m benchmarks $(ARGS)

.PHONY: check
check: $(VENV)/.ready ## Check format, lint, strict types, workflows, secrets, dependencies, and that generated files are current
	@$(RUN)/ruff format --check .
	@$(RUN)/ruff check .
	@$(RUN)/mypy
	@$(RUN)/orderflow topology --check
	@$(RUN)/orderflow contracts --check
	@$(RUN)/orderflow docs --check
	@tools/lint-workflows
	@tools/scan-secrets
	@tools/audit
	@if command -v terraform >/dev/null; then terraform fmt -check -recursive terraform; \
		else echo "terraform fmt was left out: terraform is not installed" >&2; fi

.PHONY: audit
audit: $(VENV)/.ready ## Ask which locked packages have known vulnerabilities: those deployed, and those of the tools (needs the network)
	@AUDIT=required tools/audit functions/*/*.lock requirements.lock tools/checkov.lock

.PHONY: format
format: $(VENV)/.ready ## Mend the format, and write the generated files
	@$(RUN)/ruff format .
	@$(RUN)/ruff check --fix .
	@$(RUN)/orderflow topology
	@$(RUN)/orderflow contracts
	@$(RUN)/orderflow docs
	@if command -v terraform >/dev/null; then terraform fmt -recursive terraform; fi

.PHONY: docs
docs: $(VENV)/.ready ## Build the documentation site in build/site; fails on any warning and any link that leads nowhere
	@$(RUN)/orderflow docs build

.PHONY: docs-serve
docs-serve: $(VENV)/.ready ## Show the documentation site on this machine until Ctrl-C
	@$(RUN)/orderflow docs serve

.PHONY: golden
golden: $(VENV)/.ready ## Write the golden rights, the counts of the deploy guides and the figures of docs/cost.md, to be reviewed
	@UPDATE_GOLDEN=1 $(RUN)/python -m pytest tests/costs/test_page.py tests/terraform/test_permissions.py \
		tests/terraform/test_guides.py

.PHONY: package
package: $(VENV)/.ready ## Make the function packages in dist/ (CLOUD=aws for one; needs Python 3.13)
	@$(RUN)/orderflow package $(if $(CLOUD),--cloud $(CLOUD)) $(ARGS)

##@ Needs a cloud account: CLOUD=aws|azure|gcp ENV=dev|staging|prod

.PHONY: init plan deploy outputs destroy
init: $(VENV)/.ready ## Fetch the Terraform providers and connect to the state
plan: $(VENV)/.ready ## Show what a deployment would change
deploy: $(VENV)/.ready ## Package, plan, ask, apply, print the addresses (spends money; AUTO_APPROVE=1 does not ask)
outputs: $(VENV)/.ready ## Print the addresses of a deployment
destroy: $(VENV)/.ready ## Take a deployment down, with everything that is stored in it
init plan deploy outputs destroy:
	@$(RUN)/orderflow $@ --cloud $(or $(CLOUD),$(error say which cloud: make $@ CLOUD=aws)) --env $(ENV) $(ARGS)

##@ Upkeep

.PHONY: lock
lock: $(VENV)/.ready ## Take the newest allowed packages into requirements.lock
	@$(RUN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11 \
		--all-extras --group dev pyproject.toml -o requirements.lock

.PHONY: clean
clean: ## Remove the environments and everything that was made
	@rm -rf $(VENV) .venv-* .cache build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.ready: requirements.lock pyproject.toml tools/bootstrap
	@tools/bootstrap
