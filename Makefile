# Every target that people and CI use. `make help` lists them.

SHELL     := /bin/bash
BIN       := bin
GRAMMARS  := $(BIN)/grammars
GO        ?= go
PYTHON    ?= python3
# More arguments for the round, such as ARGS="--json" or ARGS="--world case:FILE".
ARGS      ?=
# TRACE=1 sends the round's traces to a collector on this machine.
TRACE     ?=
# golangci-lint is a tool of its own, not a dependency: built at this version.
LINT_VERSION := v2.15.0
# Jaeger is one too: the last release whose module has all of it. It is built
# as its own main module, with its own go.sum.
JAEGER_VERSION := v1.76.0
# JAEGER_UI is a build of Jaeger's pages, which its module lacks; PICTURES is where
# to put pictures of them.
JAEGER_UI ?=
PICTURES  ?=
# Tests run in their packages' folders: a relative folder of cases is meant from here.
PARITY_FOLDER = case "$$MIRRORFLEET_PARITY" in ""|/*) ;; *) export MIRRORFLEET_PARITY="$(CURDIR)/$$MIRRORFLEET_PARITY";; esac;

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: round
round: build ## run one scoring round on this machine: make round [TRACE=1] [ARGS="--world git:DIR"]
	@$(BIN)/producer run --local $(if $(filter-out 0,$(TRACE)),--trace) $(ARGS)

.PHONY: build
build: tools grammars ## build the commands and the grammars into bin/
	@mkdir -p $(BIN)
	@$(GO) build -o $(BIN)/ ./producer ./worker ./shared/mirrorsim/cmd/mirrorsim

.PHONY: grammars
grammars: tools ## build the parser and its 67 grammars (a second run does nothing)
	@$(GO) run ./worker/tokenscore/grammars -python "$(PYTHON)" -out $(GRAMMARS)

.PHONY: nats-server
nats-server: ## build the nats-server of go.mod into bin/
	@mkdir -p $(BIN)
	@$(GO) build -o $(BIN)/nats-server github.com/nats-io/nats-server/v2

.PHONY: jaeger
jaeger: $(BIN)/jaeger ## build Jaeger, all in one, into bin/ (minutes; a second run does nothing)

$(BIN)/jaeger: | tools
	@mkdir -p $(BIN)
	@dir="$$($(GO) mod download -json github.com/jaegertracing/jaeger@$(JAEGER_VERSION) | $(PYTHON) -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')" && \
		GOFLAGS="$$GOFLAGS -mod=readonly" $(GO) build -C "$$dir" -trimpath -o "$(abspath $@)" \
		-ldflags "-s -w -X github.com/jaegertracing/jaeger/internal/version.latestVersion=$(JAEGER_VERSION)" ./cmd/jaeger

.PHONY: trace-test
trace-test: build jaeger redis ## look at a round through Jaeger's own query API [JAEGER_UI=DIR [PICTURES=DIR]]
	@MIRRORFLEET_JAEGER_UI="$(abspath $(JAEGER_UI))" MIRRORFLEET_PICTURES="$(abspath $(PICTURES))" MIRRORFLEET_JAEGER="$(abspath $(BIN)/jaeger)" MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" \
		$(GO) test -race -count 1 -timeout 10m -v -run '^TestJaeger' ./producer

# PYTHON is one with the validator's packages: 3.12 or later, pip install VALIDATOR.
.PHONY: validator
validator: build redis ## compare a round with what a checkout of the validator does: make validator VALIDATOR=DIR [PYTHON=python3.12]
	@test -d "$(VALIDATOR)" || { echo "VALIDATOR=DIR is missing: a checkout of the validator" >&2; exit 1; }
	@VALIDATOR="$(abspath $(VALIDATOR))" VALIDATOR_PYTHON="$(PYTHON)" MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" \
		$(GO) test -count 1 -timeout 20m -v -run '^(TestAgainstTheValidator|TestTheValidatorsContainerStartsTheAdapter)$$' ./producer

.PHONY: crash
crash: build redis ## kill workers and producers three times in a row at every crash point
	@MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" MIRRORFLEET_TEST_KILLS=3 $(GO) test -count 1 -timeout 20m -run Crash ./worker ./producer/round

.PHONY: move
move: ## run the documented commands: one server of NATS to three and back, the loss of one and of all
	@MIRRORFLEET_TEST_LOSSES=1 $(GO) test -count 1 -timeout 10m -v -run '^TestTheDocumentedMove$$' ./producer/backup

.PHONY: test
test: build redis promtool ## pass every test, with the race detector
	@$(GO) vet ./...
	@$(PARITY_FOLDER) MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" $(GO) test -race -timeout 15m ./...

# After a change of a flag, a page or a list: read the difference before it is kept.
.PHONY: golden
golden: build ## write the golden help pages, lists and the record of settings anew
	@MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" $(GO) test -count 1 -run '^(TestSettings|TestHelp|TestLists|TestLimitPage|TestPlanPages|TestDoctorPages|TestExportsAreStable)$$' \
		./producer ./producer/export ./worker ./shared/mirrorsim/cmd/mirrorsim -update

# Every round of every case takes seconds of waiting for processes to start and
# stop, so more of them run at once than there are cores.
.PHONY: parity
parity: build ## run every recorded round through real processes: MIRRORFLEET_PARITY=DIR for other cases
	@$(PARITY_FOLDER) MIRRORFLEET_PARITY_REAL=all MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" \
		$(GO) test -count 1 -v -parallel 4 -timeout 2h -run '^(TestRounds|TestRealPath|TestRealPathRetried)$$' ./worker/parity \
		| { grep --line-buffered -v -E '^ *=== (RUN|PAUSE|CONT|NAME)'; exit "$${PIPESTATUS[0]}"; }

.PHONY: lint
lint: ## run every linter of .golangci.yaml
	@$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION) run ./...

.PHONY: bench
bench: build redis ## run the benchmarks
	@MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" $(GO) test -run '^$$' -bench . -benchmem -count 5 ./...

.PHONY: memory
memory: build ## score 10,000 files in one child and tell what it took of memory
	@MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" MIRRORFLEET_MANY_FILES=10000 \
		$(GO) test -count 1 -timeout 60m -v -run '^TestMemoryOverManyFiles$$' ./worker/tokenscore

.PHONY: soak
soak: build redis ## attack the limit: a day of virtual time, two minutes each of 1, 8 and 64 workers
	@MIRRORFLEET_SOAK=1 MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" $(GO) test -count 1 -timeout 60m -v \
		-run '^(TestFleetHoldsTheLimit|TestNothingExceedsTheLimit|TestTheMirrorSees)$$' ./shared/ratelimit/bucket ./shared/ratelimit/soak

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (default 20s)
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(or $(FUZZTIME),20s) $$package || exit 1; \
		done; \
	done

.PHONY: chaos
chaos: build redis ## disturb whole rounds for CHAOS_TIME (default 10m), from a seed of the clock's or SEED
	@MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" MIRRORFLEET_CHAOS_TIME=$(or $(CHAOS_TIME),10m) \
		MIRRORFLEET_CHAOS_SEED=$(or $(SEED),$(shell date +%s)) $(GO) test -race -count 1 -timeout 60m -v -run TestChaos ./producer/chaos

.PHONY: clean
clean: ## remove what the build made and the local state
	@rm -rf $(BIN) .mirrorfleet

# What a machine must have; what is missing is named with the command that
# installs it.
.PHONY: tools
tools:
	@command -v $(GO) >/dev/null || { echo "go is missing: install Go 1.26 or later, https://go.dev/doc/install" >&2; exit 1; }
	@command -v $${CC:-cc} >/dev/null || { echo "a C compiler is missing: apt-get install gcc libc6-dev (macOS: xcode-select --install)" >&2; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: apt-get install python3 python3-pip" >&2; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { echo "pip is missing: apt-get install python3-pip" >&2; exit 1; }

.PHONY: promtool
promtool:
	@command -v promtool >/dev/null || { echo "promtool is missing (it checks metrics, rules and alerts): apt-get install --no-install-recommends prometheus (its server need not run)" >&2; exit 1; }

.PHONY: redis
redis:
	@command -v redis-server >/dev/null || { echo "redis-server is missing (the tests run against a real one): apt-get install redis-server" >&2; exit 1; }
