# Every target that people and CI use. `make help` lists them: behind ## what
# users need, behind ### what developers need.

SHELL     := /bin/bash
BIN       := bin
GRAMMARS  := $(BIN)/grammars
GO        ?= go
PYTHON    ?= python3
# More arguments for the round, such as ARGS="--json" or ARGS="--world case:FILE".
ARGS      ?=
# TRACE=1 sends the round's traces to a collector on this machine.
TRACE     ?=
# WEB=1 serves the dashboard beside the round, and after it until Ctrl-C.
WEB       ?=
# What a target needs of the machine: tools/setup installs it, or says how.
SETUP     := round
# The commands, and what each is called.
COMMANDS := ./producer ./worker ./worker/mirrorgate ./shared/mirrorsim/cmd/mirrorsim
# Programs that are no dependencies each have a module under tools/, which pins
# them with all that they are made of by hash.
tool = $(GO) tool -modfile=tools/$(1)/go.mod $(1)
# Lists the targets whose text stands behind one mark.
targets = awk -v title="$(1):" 'BEGIN {FS = ":.* $(2) "; print title} /^[a-z-]+:.* $(2) / {printf "  make %-12s %s\n", $$1, $$2}' Makefile
# What is handed on, for which processor, and how a release of it is called.
ARCHES    ?= amd64 arm64
ARCH      ?= $(shell $(GO) env GOARCH)
CROSS_CC   = $(if $(filter arm64,$(ARCH)),aarch64,x86_64)-linux-gnu-gcc
# What builds for another processor than this machine's; empty for its own.
CROSS     := $(if $(filter-out $(shell $(GO) env GOARCH),$(ARCH)),GOOS=linux GOARCH=$(ARCH) CGO_ENABLED=1 CC=$(CROSS_CC))
BUNDLE    := $(BIN)/bundle$(if $(CROSS),-$(ARCH))
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
MTIME     ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
RELEASE    = mirrorfleet-$(VERSION)-linux-$(ARCH)
# JAEGER_UI is a build of Jaeger's pages, which its module lacks; PICTURES is where
# to put pictures of them.
JAEGER_UI ?=
PICTURES  ?=
# axe-core, which the dashboard's tests give to the pages in a browser.
AXE       := $(BIN)/axe/node_modules/axe-core/axe.min.js
# Packages of npm are held to the digests in their package-lock.json. Only what fails is shown.
NPM := npm ci --ignore-scripts --no-audit --no-fund --loglevel=error > /dev/null --prefix

# What checks the Python: ruff is a wheel of pip's and pyright a package of npm's, each held to the digests in tools/.
RUFF      := $(BIN)/ruff/bin/ruff
PYRIGHT   := $(BIN)/pyright/node_modules/pyright/index.js
# Tests run in their packages' folders: a relative folder of cases is meant from here.
PARITY_FOLDER = case "$$MIRRORFLEET_PARITY" in ""|/*) ;; *) export MIRRORFLEET_PARITY="$(CURDIR)/$$MIRRORFLEET_PARITY";; esac;

test race look trace-test validator crash bench soak chaos loss up-test: SETUP := test
lint: SETUP := lint
container-test container-round: SETUP := container

bundle packed: GRAMMARS := $(BIN)/grammars$(if $(CROSS),-$(ARCH))
cross-grammars: GRAMMARS := $(BIN)/grammars-$(ARCH)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@$(call targets,To use it,##)
	@echo
	@$(call targets,To develop it,###)

.PHONY: round
round: build ## run one scoring round on this machine: make round [TRACE=1] [WEB=1] [ARGS="--world git:DIR"]
	@$(BIN)/producer run --local $(if $(filter-out 0,$(TRACE)),--trace) $(if $(filter-out 0,$(WEB)),--web 127.0.0.1:8440) $(ARGS)

# DIR is the fleet's folder, KEEP=1 leaves it, EVERY is the time between rounds, RESTORE a
# backup to begin with.
.PHONY: up
up: SETUP := up
up: build nats-server ## run a whole fleet on this machine until Ctrl-C, with TLS and roles: make up [DIR=DIR] [KEEP=1] [EVERY=10m] [RESTORE=DIR]
	@$(GO) build -o $(BIN)/up ./deploy/up
	@$(BIN)/up $(if $(DIR),-dir "$(DIR)") $(if $(filter-out 0,$(KEEP)),-keep) $(if $(EVERY),-every $(EVERY)) $(if $(RESTORE),-restore "$(RESTORE)")

.PHONY: build
build: tools grammars ## build the commands and the grammars into bin/
	@mkdir -p $(BIN)
	@GO="$(GO)" tools/gobuild $(BIN)/ $(COMMANDS)

.PHONY: grammars
grammars: tools ## build the parser and its grammars (a second run does nothing)
	@GO="$(GO)" tools/gobuild /dev/null ./worker/tokenscore/grammars
	@$(GO) run ./worker/tokenscore/grammars -out $(GRAMMARS)

.PHONY: nats-server
nats-server: ## build the nats-server of go.mod into bin/
	@mkdir -p $(BIN)
	@$(GO) build -o $(BIN)/nats-server github.com/nats-io/nats-server/v2

.PHONY: jaeger
jaeger: $(BIN)/jaeger ## build Jaeger, all in one, into bin/ (minutes; a second run does nothing)

# The last release whose module has all of it.
$(BIN)/jaeger: tools/jaeger/go.mod | tools
	@mkdir -p $(BIN)
	@$(GO) build -modfile=tools/jaeger/go.mod -trimpath -o $@ \
		-ldflags "-s -w -X github.com/jaegertracing/jaeger/internal/version.latestVersion=v1.76.0" github.com/jaegertracing/jaeger/cmd/jaeger

$(AXE): tools/axe/package.json tools/axe/package-lock.json | tools
	@rm -rf $(BIN)/axe && mkdir -p $(BIN)/axe && cp $^ $(BIN)/axe/
	@$(NPM) $(BIN)/axe && touch $@

$(RUFF): tools/ruff/requirements.txt | tools
	@rm -rf $(BIN)/ruff && python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps \
		--only-binary :all: --require-hashes --target $(BIN)/ruff -r $< && touch $@

$(PYRIGHT): tools/pyright/package.json tools/pyright/package-lock.json | tools
	@rm -rf $(BIN)/pyright && mkdir -p $(BIN)/pyright && cp $^ $(BIN)/pyright/
	@$(NPM) $(BIN)/pyright && touch $@

.PHONY: look
look: build $(AXE) ### look at the dashboard in Chromium [PICTURES=DIR]
	@MIRRORFLEET_PICTURES="$(abspath $(PICTURES))" MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" MIRRORFLEET_TEST_AXE="$(abspath $(AXE))" \
		$(GO) test -count 1 -timeout 10m -v ./producer/dashboard/browser

.PHONY: trace-test
trace-test: build jaeger ### look at a round through Jaeger's own query API [JAEGER_UI=DIR [PICTURES=DIR]]
	@MIRRORFLEET_JAEGER_UI="$(abspath $(JAEGER_UI))" MIRRORFLEET_PICTURES="$(abspath $(PICTURES))" MIRRORFLEET_JAEGER="$(abspath $(BIN)/jaeger)" MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" \
		$(GO) test -race -count 1 -timeout 10m -v -run '^TestJaeger' ./producer

# PYTHON is one with the validator's packages: 3.12 or later, pip install VALIDATOR.
.PHONY: validator
validator: build ## compare a round with what a checkout of the validator does: make validator VALIDATOR=DIR [PYTHON=python3.12]
	@test -d "$(VALIDATOR)" || { echo "VALIDATOR=DIR is missing: a checkout of the validator" >&2; exit 1; }
	@VALIDATOR="$(abspath $(VALIDATOR))" VALIDATOR_PYTHON="$(PYTHON)" MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" \
		$(GO) test -count 1 -timeout 20m -v -run '^(TestAgainstTheValidator|TestTheValidatorsContainer.*|TestClientsInPython)$$' ./producer ./worker/mirrorgate

# CONFORM_PYTHON makes the environment of `make conform`, PYTHON=… on the command line names another.
CONFORM_PYTHON := $(if $(filter command line environment,$(origin PYTHON)),$(PYTHON),python3.12)

# The tests of the conformance package itself need no checkout: make test runs them.
.PHONY: conform
conform: build ### compare all scores with a checkout of the validator: make conform VALIDATOR=DIR [N=1000] [SEED=1] [FILES=10000] [PAIRS=DIR,…] [PYTHON=python3.12]
	@"$(PYTHON)" -B -m conformance run "$(VALIDATOR)" --worlds $(or $(N),1000) --seed $(or $(SEED),1) $(if $(FILES),--files $(FILES)) \
		--pairs "$(PAIRS)" --python "$(CONFORM_PYTHON)" --go "$(GO)" --grammars "$(abspath $(GRAMMARS))"

.PHONY: conform-diff
conform-diff: ### list what has changed in a checkout of the validator since the state that is followed: make conform-diff VALIDATOR=DIR [FROM=COMMIT]
	@"$(PYTHON)" -B -m conformance diff "$(VALIDATOR)" $(if $(FROM),--since "$(FROM)")

.PHONY: conform-planted
conform-planted: build ### plant changes in copies of a checkout of the validator, and find each: make conform-planted VALIDATOR=DIR
	@VALIDATOR="$(VALIDATOR)" PYTHON="$(CONFORM_PYTHON)" MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" \
		"$(PYTHON)" -B -m conformance.tests.planted

.PHONY: crash
crash: build ### kill workers and producers three times in a row at every crash point
	@MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" MIRRORFLEET_TEST_KILLS=3 $(GO) test -count 1 -timeout 20m -run Crash ./worker ./producer/round

# As root, in namespaces of their own. No registry is asked: deploy/README.md says what
# stands in for the images.
.PHONY: container-test
container-test: build jaeger ### make the images, and run the compose file's fleet in containers: all profiles, restarts, TLS (minutes)
	@GO="$(GO)" VERSION="$(VERSION)" deploy/containers/run full $(BIN)

.PHONY: container-round
container-round: build ### run one round of the compose file in containers, with what is built already
	@GO="$(GO)" deploy/containers/run short $(BIN)

.PHONY: move
move: ### run the documented commands: one server of NATS to three and back, the loss of one and of all
	@MIRRORFLEET_TEST_LOSSES=1 $(GO) test -count 1 -timeout 10m -v -run '^TestTheDocumentedMove$$' ./producer/backup

.PHONY: up-test
up-test: build ### restart every part of make up's fleet in mid-round, lose all of it, restore it: the same outcome
	@MIRRORFLEET_TEST_UP=long MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" $(GO) test -count 1 -timeout 20m -v -run '^TestUp$$' ./deploy/up

# make lint vets, so that the tests need not: vetting takes a minute of two cores. Most
# tests of whole processes wait for clocks and servers, so four of them share two cores.
# The commands that they run are linked once, in a folder for all packages; those of
# producer/chaos and producer/loss have the race detector, and make race has it in all.
# Two packages are tested without it, beside the others: worker/parity compares figures, by code
# whose own tests have the detector, and shared/house reads the source.
.PHONY: test
test: build $(AXE) ### pass every test, with the race detector
	@commands=$$(mktemp -d) && trap 'rm -rf "$$commands"' EXIT && $(PARITY_FOLDER) \
		MIRRORFLEET_TEST_COMMANDS="$$commands" $(MAKE) --no-print-directory --keep-going --jobs 2 test-raced test-figures
	@cd deploy/kubernetes && $(GO) test -timeout 5m ./...

.PHONY: test-raced test-figures
test-raced test-figures: export MIRRORFLEET_GRAMMARS := $(abspath $(GRAMMARS))
test-raced test-figures: export MIRRORFLEET_TEST_AXE := $(abspath $(AXE))
test-raced:
	@$(GO) test -race -vet off -parallel 4 -timeout 20m $$($(GO) list ./... | grep -v -E '/(worker/parity|shared/house)$$')
test-figures:
	@$(GO) test -vet off -parallel 4 ./worker/parity ./shared/house

.PHONY: race
race: build $(AXE) ### pass the tests that run the commands, with the race detector in each of their processes
	@MIRRORFLEET_TEST_RACE=1 MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" MIRRORFLEET_TEST_AXE="$(abspath $(AXE))" $(GO) test -race -vet off -count 1 -parallel 4 -timeout 60m \
		./producer ./producer/dashboard/browser ./worker/... ./deploy/up ./deploy/systemd ./shared/ratelimit/soak

# After a change of a flag, a page or a list: read the difference before it is kept.
# One package at a time: three of them write docs/settings.md.
.PHONY: golden
golden: build ### write the golden help pages, lists and the record of settings anew
	@MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" $(GO) test -p 1 -count 1 -run '^(TestSettings|TestHelp|TestLists|TestLimitPage|TestNowPages|TestPlanPages|TestCancelPages|TestPreviewPages|TestShadowPages|TestDoctorPages|TestFailurePages|TestSteeredPages|TestTokenPages|TestWatchPages|TestWhatIfPages|TestWorkersPage|TestExportsAreStable)$$' \
		./producer ./producer/page ./producer/export ./worker ./worker/mirrorgate ./shared/mirrorsim/cmd/mirrorsim -update

# Every round of every case takes seconds of waiting for processes to start and
# stop, so more of them run at once than there are cores.
.PHONY: parity
parity: build ## run every recorded round through real processes: MIRRORFLEET_PARITY=DIR for other cases
	@$(PARITY_FOLDER) MIRRORFLEET_PARITY_REAL=all MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" \
		$(GO) test -count 1 -v -parallel 4 -timeout 2h -run '^(TestRounds|TestRealPath|TestRealPathRetried|TestWhatIfIsAsIfItWere|TestOneAnswerOfAFleet)$$' ./worker/parity \
		| { grep --line-buffered -v -E '^ *=== (RUN|PAUSE|CONT|NAME)'; exit "$${PIPESTATUS[0]}"; }

.PHONY: lint
lint: $(RUFF) $(PYRIGHT) ### run every linter of .golangci.yaml, and those of the Python
	@$(RUFF) check --quiet conformance deploy/validator
	@$(RUFF) format --quiet --check conformance
	@for folder in conformance deploy/validator; do node $(PYRIGHT) -p $$folder > $(BIN)/pyright/said || { cat $(BIN)/pyright/said; exit 1; }; done
	@$(call tool,golangci-lint) run ./...
	@linter=$$($(GO) tool -modfile=tools/golangci-lint/go.mod -n golangci-lint) && cd deploy/kubernetes && "$$linter" run ./...

# A database that cannot be reached is a failure too: nothing was checked.
.PHONY: vuln
vuln: ### look for known vulnerabilities in what is called [VULN_DB=URL of another database, or file://DIR]
	@$(call tool,govulncheck) $(if $(VULN_DB),-db "$(VULN_DB)") ./... || { code=$$?; \
		[ $$code = 3 ] || echo "vuln: NOTHING WAS CHECKED: if its database cannot be reached from here, name a copy in VULN_DB" >&2; exit $$code; }

# What the image and a release hold. Every clone of one commit gives the same bytes,
# and so does the tool, whose own hash stands in the lists. The recipes
# need GNU's tar and coreutils. For another processor than this machine's, the grammars
# and the worker's part in C need a compiler for it.
.PHONY: bundle
bundle: $(if $(CROSS),cross-grammars,grammars) ### gather what is handed on in bin/bundle: commands, grammars, units, licences, lists of parts, checksums [ARCH=arm64]
	@rm -rf $(BUNDLE) && mkdir -p $(BUNDLE)/sbom
	@$(CROSS) $(GO) build -trimpath -buildvcs=auto -ldflags "-X mirrorfleet/shared/command.told=$(filter-out unknown,$(VERSION))" -o $(BUNDLE)/ $(COMMANDS)
	@cp -R $(GRAMMARS) $(BUNDLE)/grammars && cp -R LICENSE README.md deploy/nats deploy/redis deploy/systemd $(BUNDLE)/
	@rm $(BUNDLE)/systemd/*.go
	@$(GO) build -o $(BIN)/notices ./deploy/notices && $(CROSS) $(BIN)/notices -out $(BUNDLE) -grammars $(GRAMMARS) $(COMMANDS)
	@for command in $(notdir $(COMMANDS)); do \
		GOFLAGS="$$GOFLAGS -trimpath" $(call tool,cyclonedx-gomod) bin -json -std -noserial -notimestamp -version "$(VERSION)" \
			-output $(BUNDLE)/sbom/$$command.cdx.json $(BUNDLE)/$$command || exit 1; done
	@cd $(BUNDLE) && find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs sha256sum > SHA256SUMS

.PHONY: cross-grammars
cross-grammars: tools
	@command -v $(CROSS_CC) >/dev/null || { echo "make: $(CROSS_CC) is missing: deploy/README.md, What is handed on, says what $(ARCH) needs; ARCHES=$(shell $(GO) env GOARCH) leaves it out" >&2; exit 1; }
	@$(GO) run ./worker/tokenscore/grammars -arch $(ARCH) -cc $(CROSS_CC) -out $(GRAMMARS)

.PHONY: release
release: ### pack bundles for ARCHES (default amd64 and arm64) into bin/release: archives, Debian packages, checksums
	@rm -rf $(BIN)/release && mkdir -p $(BIN)/release
	@for arch in $(ARCHES); do $(MAKE) --no-print-directory packed ARCH=$$arch || exit 1; done
	@cd $(BIN)/release && sha256sum *.tar.gz *.deb > SHA256SUMS && cat SHA256SUMS

.PHONY: packed
packed: bundle
	@tar --create --format gnu --sort name --owner 0 --group 0 --numeric-owner --mode u=rwX,go=rX --mtime "@$(MTIME)" \
		--transform 's,^$(notdir $(BUNDLE)),$(RELEASE),' -C $(BIN) $(notdir $(BUNDLE)) | gzip -n -9 > $(BIN)/release/$(RELEASE).tar.gz
	@SOURCE_DATE_EPOCH=$(MTIME) deploy/debian/build $(BUNDLE) $(ARCH) "$(VERSION)" $(BIN)/release/$(RELEASE).deb

# After a change of a tag: the digest that the registry has under it.
.PHONY: pin-images
pin-images: ### write the digest of each image into deploy/Dockerfile and deploy/compose.yaml, from its registry
	@CRANE="$(call tool,crane)" deploy/pin-images deploy/Dockerfile deploy/compose.yaml

.PHONY: bench
bench: build ## run the benchmarks
	@MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" $(GO) test -run '^$$' -bench . -benchmem -count 5 ./...

.PHONY: memory
memory: build ### score 10,000 files in one child and tell what it took of memory
	@MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" MIRRORFLEET_MANY_FILES=10000 \
		$(GO) test -count 1 -timeout 60m -v -run '^TestMemoryOverManyFiles$$' ./worker/tokenscore

.PHONY: soak
soak: build ### attack the limit: a day of virtual time, two minutes each of 1, 8 and 64 workers
	@MIRRORFLEET_SOAK=1 MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" $(GO) test -count 1 -timeout 60m -v \
		-run '^(TestFleetHoldsTheLimit|TestTheRoundGoesFirst|TestTheBackgroundIsNotStarved|TestNothingExceedsTheLimit|TestTheMirrorSees)$$' ./shared/ratelimit/bucket ./shared/ratelimit/soak

.PHONY: fuzz
fuzz: ### run each fuzz target for FUZZTIME (default 20s)
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(or $(FUZZTIME),20s) $$package || exit 1; \
		done; \
	done

.PHONY: chaos
chaos: build ### disturb whole rounds for CHAOS_TIME (default 10m), from a seed of the clock's or SEED
	@MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" MIRRORFLEET_CHAOS_TIME=$(or $(CHAOS_TIME),10m) \
		MIRRORFLEET_CHAOS_SEED=$(or $(SEED),$(shell date +%s)) $(GO) test -race -count 1 -timeout 60m -v -run TestChaos ./producer/chaos

# Every pair of streams is set back, and everything that a hand can do is done to
# each of them, beside the random ones.
.PHONY: loss
loss: build ### set streams back, spoil disks, delete and overwrite: all pairs, and RUNS (default 200) of a seed of the clock's or SEED
	@MIRRORFLEET_GRAMMARS="$(abspath $(GRAMMARS))" MIRRORFLEET_LOSS_RUNS=$(or $(RUNS),200) \
		MIRRORFLEET_LOSS_SEED=$(or $(SEED),$(shell date +%s)) $(GO) test -race -count 1 -timeout 120m -parallel 4 ./producer/loss

.PHONY: clean
clean: ## remove bin/, which is what the build made; the local rounds in .mirrorfleet stay
	@rm -rf $(BIN)

.PHONY: tools
tools:
	@GO="$(GO)" PYTHON="$(PYTHON)" tools/setup $(SETUP)
