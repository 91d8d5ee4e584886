# Makefile - every way into Pawl. Two commands do everything on a fresh Debian 12 machine with Swift 6.3:
#   make demo    sets up, builds, and runs the main job on real input
#   make test    sets up, builds, and runs all tests
SHELL := /bin/bash
CONFIG ?= release
PREFIX ?= /usr/local
OUT := .build/$(CONFIG)
SWIFT_BUILD := swift build -c $(CONFIG) --static-swift-stdlib
PYTHON := .build/venv/bin/python
.DEFAULT_GOAL := build

include mk/native.mk
include mk/swift-plugins.mk
include mk/authors.mk

.PHONY: help bootstrap build host plugins demo serve test test-unit test-abi test-zygote test-plugins test-system test-faults bench-peers \
        monkey monkey-short monkey-kills chaos chaos-short fuzz test-fuzz test-cli test-page test-seeds test-docs test-authors test-schema \
        test-schedules seeds bench bench-volume bench-backlog bench-schedules format format-check install clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

bootstrap: ## install missing Debian packages (no-op when all are there)
	@scripts/bootstrap

build: host zygote inspector plugins sdk ## everything that runs

host: bootstrap
	$(SWIFT_BUILD) --product pawl --explicit-target-dependency-import-check error
	@git describe --always --dirty > $(OUT)/pawl.revision 2>/dev/null || rm -f $(OUT)/pawl.revision

plugins: c-plugins swift-plugins ffi ## the plugins of plugins/ into $(OUT)/plugins

demo: build ## the main job on real input, with a crash, a kill, a reload and a schedule
	@scripts/demo

serve: build ## a host on 127.0.0.1:7070 with an embedded PostgreSQL
	@$(OUT)/pawl serve --plugins $(OUT)/plugins

test: build fixtures test-abi test-zygote test-plugins test-unit test-system test-faults monkey-short chaos-short test-fuzz test-cli test-page \
        test-seeds test-docs test-authors test-schema test-schedules ## all tests
	@echo "all tests passed"

test-abi: bootstrap zygote c-plugins
	Tests/abi/run.sh

test-zygote: zygote c-plugins fixtures
	Tests/zygote/run.sh

# A process per suite: they watch their own process's children, descriptors and threads. Its tests run beside each other, but
# not all at once: a slow machine would run into their safety nets.
UNIT_TESTS := JobCoreTests UVLoopTests NIOLibuvTests PostgresTests JobStoreTests JobRunnerTests ControlPlaneTests PluginKitTests SupervisionTests \
    InspectionTests

test-unit: zygote inspector plugins fixtures
	swift build --build-tests
	set -e; for suite in $(UNIT_TESTS); do echo "== $$suite"; \
	    PAWL_TEST_BIN=$(CURDIR)/$(OUT) scripts/test-suite swift $$suite; done

test-system: build fixtures $(PYTHON)
	$(PYTHON) scripts/test-suite pytest Tests/System -n 4

test-faults: build fixtures $(PYTHON)
	$(PYTHON) scripts/test-suite pytest Tests/faults

# A seeded mix of everything that can go wrong; see docs/testing.md.
SECONDS ?= 60
WORKERS ?= 16
ISOLATION ?= auto
KILLS ?= 0
fuzz: ## SECONDS=… for each target: libFuzzer on everything that is read from others (fuzz/run --list)
	@fuzz/run --seconds $(SECONDS)

test-fuzz: bootstrap
	fuzz/run --runs 50000 --seconds 8

monkey: build fixtures $(PYTHON) ## SECONDS=… SEED=… WORKERS=… KILLS=…: runs, cancels, kills and reloads at random
	@$(PYTHON) Tests/faults/monkey.py --seconds $(SECONDS) --workers $(WORKERS) --isolation $(ISOLATION) --kills $(KILLS) \
	    $(if $(SEED),--seed $(SEED))

monkey-short: build fixtures $(PYTHON)
	@$(PYTHON) Tests/faults/monkey.py --seconds 20 --short --isolation auto
	@$(PYTHON) Tests/faults/monkey.py --seconds 12 --short --isolation none

monkey-kills: KILLS := 1000
monkey-kills: monkey ## 1,000 times kill -9 of child, zygote and host

# Three hosts on a database with a standby; see docs/testing.md. The checker's own tests come first.
chaos: build fixtures $(PYTHON) ## SECONDS=… SEED=…: hosts, database and children die at random, and each run has exactly one outcome
	@$(PYTHON) -m pytest -q Tests/chaos
	@$(PYTHON) Tests/chaos/chaos.py --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

chaos-short: SECONDS := 120
chaos-short: chaos

test-cli: build $(PYTHON)
	$(PYTHON) scripts/test-suite pytest Tests/cli

test-schema: $(PYTHON)
	$(PYTHON) scripts/test-suite pytest Tests/schema

# Vectors, bounds of time, and the oracles where clocks change: SEED=… COUNT=… (schedules per zone) for longer runs.
test-schedules: host $(PYTHON)
	SEED=$(SEED) COUNT=$(or $(COUNT),8) PAWL_TEST_BIN=$(CURDIR)/$(OUT) $(PYTHON) -m pytest -q Tests/schedules

test-page: $(PYTHON)
	$(PYTHON) scripts/test-suite pytest Tests/page -rs

test-seeds: build $(PYTHON)
	$(PYTHON) scripts/test-suite pytest Tests/seeds
	scripts/seeds --start --results .build/seeds-results.json
	python3 Tests/seeds/check.py --results .build/seeds-results.json

test-authors: build $(PYTHON)
	$(PYTHON) scripts/test-suite pytest Tests/authors -rs

test-docs: build
	scripts/check-doc-samples
	scripts/plugin-reference --check
	PAWL_TEST_BIN=$(CURDIR)/$(OUT) scripts/check-shipped

seeds: build ## replay every request that the seeds show and print the answers
	@scripts/seeds --start

bench: build $(PYTHON) ## figures beside their limits, measured in the same run
	$(SWIFT_BUILD) --product bench-attempts
	@$(PYTHON) bench/run.py
	@$(PYTHON) bench/enqueue.py
	@$(PYTHON) bench/logs.py
	@$(PYTHON) bench/terminate.py
	@$(PYTHON) bench/reloads.py --reloads 200

bench-volume: build $(PYTHON) ## lists and figures with ten million runs; needs 6 GB of disk
	@$(PYTHON) bench/volume.py

bench-schedules: build $(PYTHON) ## a hundred thousand schedules: idle looks, a thousand due at once
	@$(PYTHON) bench/schedules.py

bench-backlog: build fixtures $(PYTHON) ## drains under a held snapshot, a backlog and a history of ten million runs; needs 6 GB of disk
	@$(PYTHON) bench/backlog.py

# Each peer's server is started by the benchmark, on loopback or a Unix socket, and ended by it.
PEERS_PYTHON := .build/peers-venv/bin/python
$(PEERS_PYTHON): bench/peers/requirements.txt
	python3 -m venv .build/peers-venv
	.build/peers-venv/bin/pip install --quiet --disable-pip-version-check -r bench/peers/requirements.txt
	@touch $(PEERS_PYTHON)

bench-peers: build fixtures $(PEERS_PYTHON) ## the same job through pgqueuer, procrastinate, RQ, Celery, Sidekiq, gearmand and beanstalkd
	scripts/bootstrap --peers
	@$(PEERS_PYTHON) bench/peers.py

format: ## format the Swift sources
	swift format format --in-place --parallel --recursive Sources Tests plugins examples bench fuzz Package.swift

format-check:
	swift format lint --strict --parallel --recursive Sources Tests plugins examples bench fuzz Package.swift

install: build install-sdk ## binaries, what authors need, and plugins under PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/pawl $(DESTDIR)$(PREFIX)/lib/pawl/plugins
	install -m 755 $(OUT)/pawl $(DESTDIR)$(PREFIX)/bin/pawl
	install -m 755 $(OUT)/pawl-zygote $(DESTDIR)$(PREFIX)/libexec/pawl/pawl-zygote
	install -m 755 $(OUT)/pawl-inspect $(DESTDIR)$(PREFIX)/libexec/pawl/pawl-inspect
	test ! -e $(OUT)/pawl.revision || install -m 644 $(OUT)/pawl.revision $(DESTDIR)$(PREFIX)/libexec/pawl/pawl.revision
	install -m 755 $(OUT)/pawl-ffi.so $(DESTDIR)$(PREFIX)/libexec/pawl/pawl-ffi.so
	for p in csv.so $(SWIFT_PLUGINS:%=%.so) $(FOUND_PLUGINS:%=%.so) $(FOUND_CXX_PLUGINS:%=%.so); do \
	    install -m 644 $(OUT)/plugins/$$p $(DESTDIR)$(PREFIX)/lib/pawl/plugins/$$p; done
	rm -f $(DESTDIR)$(PREFIX)/lib/pawl/plugins/zlib.ffi.json
	install -m 644 plugins/ffi/*.pawl.json $(DESTDIR)$(PREFIX)/lib/pawl/plugins

clean: ## remove what was built
	rm -rf .build

$(PYTHON): Tests/requirements.txt Tests/schedules/requirements.txt
	python3 -m venv .build/venv
	.build/venv/bin/pip install --quiet --disable-pip-version-check -r Tests/requirements.txt -r Tests/schedules/requirements.txt
	@touch $(PYTHON)
