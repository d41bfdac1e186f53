# `make` lists what there is. `make check` is what CI runs, in the same order.
SHELL := /bin/bash
.DEFAULT_GOAL := help
GO ?= go
TOOL := $(GO) tool -modfile=tools/go.mod
# The tests of provision make much garbage and keep little.
COLLECT := GOGC=300
# At its end it lists the tests that were skipped, and why.
GOTEST := $(COLLECT) $(TOOL) gotestsum --format pkgname --format-hide-empty-pkg --
# Tests with a real Caddy use this one where `make caddy` has made it, or the one in PATH.
export PROVISION_CADDY ?= $(wildcard $(CURDIR)/.cache/bin/caddy)
PYTHON38 ?= $(shell ls -d $$HOME/.pyenv/versions/3.8.*/bin/python3.8 /usr/bin/python3.8 /usr/local/bin/python3.8 2>/dev/null | head -1)
PYTHON313 ?= $(shell ls -d $$HOME/.pyenv/versions/3.13.*/bin/python3.13 /usr/bin/python3.13 /usr/local/bin/python3.13 2>/dev/null | head -1)

.PHONY: help build demo caddy test test-python scenarios race lint fmt tidy vuln e2e bench schemas screenshots lab lab-down check reproducible dist release clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

build: ## the static binary, as bin/provision
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/provision ./cmd/provision

demo: build ## the main job on two simulated hosts, in a few seconds: needs nothing but Go and make
	./bin/provision demo

test: test-python ## all tests that need no root and no real host; the long scenarios in a sample
	$(GO) vet ./...
	$(SAMPLES) $(GOTEST) -short -timeout 30m ./...

caddy: ## the Caddy that some tests need, as .cache/bin/caddy: some minutes the first time
	$(GO) run ./e2e/labctl caddy .cache/bin

# The tests of provision that others run a sample of.
SCENARIOS := ^Test(Cut|DestroyKilled|Drift|EveryFaultOfEveryCallConverges|Hostile.*|Killed|KilledLater|PerpetualDifferences|RotateKilled|Shellcheck|TrustKilled)$$
scenarios: ## the long scenarios in full: every point to be killed at, every cut, every random inventory, all generated ssh_configs and known_hosts, 1 GiB each way
	$(COLLECT) $(GO) test -count=1 -timeout 30m -run '$(SCENARIOS)' ./provision/
	$(GO) test -count=1 -timeout 30m -run '^Test(MemoryIsFlat|Generated.*)$$' ./remote/

test-python: ## the tests of what lands in the images, with the Python of each generation where there is one
	@$(call test-glue,2,$(PYTHON38))
	@$(call test-glue,3,$(PYTHON313))

# What generations share, and what is particular to one, with its Python.
test-glue = if [ -n "$(2)" ]; then export PROVISION_GENERATION=$(1) PYTHONPATH=$(CURDIR)/files/glue/python/tests; \
	for dir in files/glue/python files/gen$(1)/prefect; do $(2) -W ignore::ResourceWarning -m unittest discover -s $$dir/tests || exit 1; done; \
	else echo "skipped: the Python of generation $(1) is not here for the tests of files/glue/python and files/gen$(1)/prefect"; fi

# Tests that compare much with other programs or work on much text, one thing after the other, and the examples, which other tests
# have the parts of: there is no race to find, and much to wait for. Nor is there one to wait a second for where a process ends.
COMPARISONS := ^Test(Architecture.*|Completion.*|Compose(Definitions|Golden|Hardening|IsDeterministic|ValuesStayValues)|Docs|Examples|Generated.*|MemoryIsFlat|Page|RealUserland|ShellFiles)$$
race: ## the tests with the race detector, the long scenarios in a smaller sample
	GORACE=atexit_sleep_ms=0 $(GOTEST) -race -short -shuffle=on -timeout 30m -skip '$(COMPARISONS)' ./...

lint: ## formatting, linters, module files
	@out=$$($(TOOL) gofumpt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not formatted (make fmt):"; echo "$$out"; exit 1; }
	$(TOOL) golangci-lint run ./...
	$(TOOL) golangci-lint run --build-tags e2e ./e2e/...
	$(TOOL) actionlint
	@loose=$$(grep -rn 'uses:' .github/workflows | grep -vE '@[0-9a-f]{40} # v[0-9]'); [ -z "$$loose" ] || { echo "not pinned by commit:"; echo "$$loose"; exit 1; }
	@if command -v shellcheck >/dev/null; then shellcheck tools/release/*.sh provision/testdata/userland/boot.sh provision/testdata/userland/shims/* .ci/run; else echo "skipped: no shellcheck here"; fi
	@bare=$$(grep -E '^[a-z0-9-]+:' Makefile | grep -vE ' ## |: [A-Z]+ = '); [ -z "$$bare" ] || { echo "make help has no line for:"; echo "$$bare"; exit 1; }
	@diff <(sed -n 's/^\.PHONY: //p' Makefile | tr ' ' '\n' | sort) <(grep -oE '^[a-z0-9-]+:' Makefile | tr -d : | sort -u) || { echo "not in .PHONY (>), or there alone (<)"; exit 1; }
	$(GO) mod tidy -diff

fmt: ## format the code
	$(TOOL) gofumpt -w $$(git ls-files '*.go')

tidy: ## tidy the module files
	$(GO) mod tidy && cd tools && $(GO) mod tidy && cd screenshot && $(GO) mod tidy && cd ../acme && $(GO) mod tidy

vuln: ## known vulnerabilities in what is reachable; says so where the database cannot be asked
	@if cd tools && timeout 60 $(GO) run ./reach https://vuln.go.dev/index/db.json; then cd .. && $(TOOL) govulncheck ./...; else echo "govulncheck: NOT RUN, the vulnerability database cannot be reached from here"; fi

e2e: ## the scenarios on real hosts: systemd, sshd, apt, Docker, PostgreSQL, Caddy, Prefect (root on Debian)
	$(GO) run ./e2e/labctl missing
	$(TOOL) gotestsum --format testname -- -tags e2e -count=1 -timeout 80m -parallel 3 ./e2e/

bench: ## measure against ssh, pyinfra, Ansible and shell scripts, on real hosts and a simulated fleet; about 30 minutes
	$(GO) run ./e2e/labctl missing
	$(GO) run ./e2e/bench -o docs/benchmarks.md

schemas: ## docs/inventory.schema.json and docs/stack.schema.json, from the Go types
	$(GO) test -count=1 -run 'TestCommitted$$' ./docs/schema -update

screenshots: build ## the pictures of the README and the docs, from real runs (chromium for the report)
	cd tools/screenshot && $(GO) run . -o ../../docs/demo.svg -when 'build 7/' -- ../../bin/provision demo
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; PROVISION_PICTURES=$$dir $(GO) test -count=1 -run 'TestPage$$' ./cmd/provision && cp "$$dir/report-light.png" docs/report.png
	cd cmd/provision/ui/testdata && cp graph-split.svg ../../../../docs/topology.svg

lab: ## two blank real hosts that stay up, and an inventory for them
	$(GO) run ./e2e/labctl up

lab-down: ## remove them
	$(GO) run ./e2e/labctl down

check: TARGETS = $(shell $(GO) env GOOS)/$(shell $(GO) env GOARCH)
# make test leaves to make scenarios what that runs in full.
check: SAMPLES = PROVISION_SCENARIOS=follow
check: test lint race scenarios reproducible vuln e2e ## all of it, as CI does; of the binaries only the one for this machine

reproducible: ## the binaries of all targets, each built twice in different places and compared to the byte
	tools/release/reproducible.sh .cache/release/binaries $(TARGETS)

dist: ## the packages of a release of this commit, into dist; publishes nothing; checksums are signed with the SSH key PROVISION_SIGNING_KEY
	cd tools/release && $(GO) build -o $(CURDIR)/.cache/release/bin/ tool
	PATH="$(CURDIR)/.cache/release/bin:$$PATH" goreleaser release --clean $(if $(PUBLISH),,--snapshot) $(if $(PROVISION_SIGNING_KEY),,--skip=sign)
	tools/release/inspect.sh dist

release: ## what CI does for a tag: dist, put into a draft of a release on GitHub
	$(MAKE) dist PUBLISH=yes

clean: ## remove what was built
	rm -rf bin dist .cache/release
