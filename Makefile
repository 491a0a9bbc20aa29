# The single list of commands. `make` alone prints it.
# Commands that need more than three lines are scripts in deploy/ and tests/; this file only says in which order they run.

.DEFAULT_GOAL := help
# The steps of one command share target/, and their output shall be readable.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory
.PHONY: help up down logs test check fmt clippy unit e2e browser browser-packages fuzz deny compose-test swarm-test bench bench-static bench-proxy bench-auth build images docs clean

help: ## This list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

up: ## Build and start the stack (Docker where an engine answers, else natively), wait until it is ready
	@deploy/stack.sh up

down: ## Stop it; its state stays
	@deploy/stack.sh down

logs: ## Follow the logs of the stack in containers
	@deploy/stack.sh compose logs -f

# The order: what fails fast first, what needs the most time last.
test: browser-packages fmt clippy deny unit fuzz compose-test swarm-test ## Everything that CI runs
	@echo 'make test: all steps passed'

check: fmt clippy unit-fast ## What to run before each commit: format, lints, unit tests

fmt: ## The format check
	@tests/step.sh 'format' cargo fmt --all --check

clippy: ## Lints, warnings as errors
	@tests/step.sh 'clippy' cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: unit-fast
unit-fast:
	@tests/step.sh 'unit tests' tests/run.sh --workspace --exclude portcullis-tests

unit: ## All tests: unit, end to end, browser, tidy (PostgreSQL and browser parts say SKIPPED where they can't run)
	@tests/step.sh 'examples in the documentation' cargo test --workspace --doc --locked --quiet
	@tests/step.sh 'tests' tests/run.sh --workspace

e2e: ## The end-to-end and tidy tests alone
	@tests/step.sh 'end-to-end tests' tests/run.sh -p portcullis-tests

browser: browser-packages ## The browser test alone
	@tests/step.sh 'browser test' tests/run.sh -p portcullis-tests --test e2e site_in_browser

browser-packages:
	@tests/step.sh 'packages for the tests' tests/packages.sh

fuzz: ## Each fuzz target for FUZZ_SECONDS (default 5), where the nightly toolchain is present
	@tests/step.sh 'fuzz targets' tests/fuzz/run.sh "$${FUZZ_SECONDS:-5}"

deny: ## Bans, licences and sources of all dependencies, where cargo-deny is installed (advisories: make deny ADVISORIES=1)
	@tests/step.sh 'dependencies' tests/deny.sh

compose-test: ## The smoke test and the drill over the images, where a Docker engine answers
	@tests/step.sh 'compose smoke test' tests/compose/smoke.sh
	@tests/step.sh 'compose drill' tests/compose/drill.sh

swarm-test: ## The smoke test of deploy/swarm on a swarm of this one node, with the images that compose-test has built
	@tests/step.sh 'swarm smoke test' tests/swarm/smoke.sh

bench: bench-static bench-proxy bench-auth ## All benchmarks

bench-static: ## Files: CPU per request beside nginx and h2o (root on Debian gets the peers); a table in tests/bench/results/
	@tests/bench/run.sh static

bench-proxy: ## Forwarding, connections, tokens, memory, latency, beside nginx and HAProxy
	@tests/bench/run.sh proxy

bench-auth: ## The auth rule alone: a stranger's token against a bare verification, a known one against a public route
	@cargo bench --locked -p portcullis --bench authorize

build: ## Both binaries, release profile
	cargo build --release --locked -p portcullis -p portcullis-app

images: ## Both images
	@BUILDER=$$(deploy/stack.sh builder) deploy/stack.sh compose build

docs: ## The API documentation of all crates, warnings as errors
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked

clean: down ## Remove everything that was built and the state under var/ (volumes stay: docker-compose down -v)
	cargo clean
	rm -rf var
