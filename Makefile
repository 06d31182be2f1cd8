# Entry points; `make` alone lists them. Everything is built outside the checkout.

SHELL := bash
.NOTPARALLEL:
.DEFAULT_GOAL := help

# Where builds, tools and virtual environments of the tests are kept.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/bulkhead-target
export BULKHEAD_CACHE ?= $(HOME)/.cache/bulkhead
export BULKHEAD_VENVS ?= $(BULKHEAD_CACHE)/venv

# Settings of `make run`.
DATA ?= data
ARGS ?=
# Seconds that `make fuzz` spends on each target.
export FUZZ_SECONDS ?= 60

TIER := scripts/tier
# A lock file that lags behind a manifest is an error here, not something to repair in passing.
LOCKED := --locked

.PHONY: help run test lint fmt clippy xtask-check deny test-deps test-rust test-doc \
	test-netns test-conformance fuzz bench generate

## help: list the targets
help:
	@echo "Bulkhead: usage: make TARGET"
	@sed -n 's/^## \([^:]*\): /  \1\t/p' $(MAKEFILE_LIST) | expand -t 22
	@echo "Builds go to $(CARGO_TARGET_DIR); set CARGO_TARGET_DIR to change that."

## run: build the server and start it with a sample organisation (DATA=dir, ARGS=further flags)
# Without a listener among the flags the server opens its default ones, https://127.0.0.1:8443 first, and
# on a terminal it prints its address, the login and a first command to try. --demo fills a data directory
# that is empty; on others it changes nothing.
run:
	cargo build --release $(LOCKED) --package bulkhead-server --bin bulkhead-pce
	"$(CARGO_TARGET_DIR)/release/bulkhead-pce" serve --data-dir "$(DATA)" --demo $(ARGS)

## test: install what the tests need, then run lint and every tier of tests
test:
	@scripts/tier --start
	@$(MAKE) --no-print-directory test-deps lint test-rust test-doc test-netns test-conformance
	@scripts/tier --summary

## lint: formatting, clippy, rules of the repository, licences and duplicates of dependencies
lint: fmt clippy xtask-check deny

fmt:
	@$(TIER) fmt cargo fmt --all --check

clippy:
	@$(TIER) clippy cargo clippy $(LOCKED) --workspace --all-targets -- -D warnings

xtask-check:
	@$(TIER) xtask-check cargo xtask check

deny:
	@$(TIER) deny scripts/deny.sh

test-deps:
	@$(TIER) test-deps scripts/install-test-deps.sh

## test-rust: unit, golden, property and API tests
test-rust:
	@$(TIER) test-rust scripts/test-rust.sh $(LOCKED)

## test-doc: examples in the documentation of the crates
test-doc:
	@$(TIER) test-doc cargo test $(LOCKED) --workspace --doc

## test-netns: rendered rulesets in a real kernel, in network namespaces (skipped when not permitted)
test-netns:
	@$(TIER) test-netns scripts/test-netns.sh $(LOCKED)

## test-conformance: unmodified public clients against a real server
test-conformance:
	@$(TIER) build-server cargo build $(LOCKED) --package bulkhead-server --bin bulkhead-pce
	@BULKHEAD_PCE="$${BULKHEAD_PCE:-$(CARGO_TARGET_DIR)/debug/bulkhead-pce}" \
		$(TIER) test-conformance tests/conformance/run.sh

## fuzz: random input to every parser, random policies to the kernel; FUZZ_SECONDS (60) for each target
fuzz:
	@$(TIER) fuzz scripts/fuzz.sh

## bench: measure against the peers and limits, writing bench/results.json
bench:
	bench/run.sh

## generate: rewrite docs/reference from the operation table
generate:
	cargo xtask generate
