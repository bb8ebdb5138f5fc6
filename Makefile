# Go and GNU make are all this needs; `make help` lists what there is.

GO        ?= go
VERSION   ?=
TESTFLAGS ?=
BENCH     ?= .
FUZZTIME  ?= 10
FUZZTOTAL ?= 600
PEERS     ?= dist/peers
RESULTS   ?=
GOFLOW2   := github.com/netsampler/goflow2/v2/cmd/goflow2@v2.2.6

# What is tested is what ships: no C.
export CGO_ENABLED := 0

# Without a usable git (none, no commit, somebody else's checkout) the binary carries no revision.
ifneq ($(shell git rev-parse HEAD >/dev/null 2>&1 && echo usable),usable)
export GOFLAGS := $(GOFLAGS) -buildvcs=false
endif

STAMP     = $(if $(VERSION),-ldflags '-X weir/control/cli.version=$(VERSION)')
BUILD     = $(GO) build -trimpath $(STAMP)
LINTER    = $(GO) tool -modfile=tools/lint/linters/go.mod golangci-lint
PLATFORMS = linux/amd64 linux/arm64 linux/386 freebsd/amd64 darwin/arm64
# Vetted by `cross`; the others are by `vet` and `test386`.
VETTED = linux/arm64 freebsd/amd64 darwin/arm64

.DEFAULT_GOAL := help
.PHONY: help build build-v2 build-v3 build-v4 demo lab test zerocopy race test386 fuzz
.PHONY: bench bench-flows bench-peers bench-results pgo vet lint cross clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

build: ## Build the static binary ./weir (VERSION=v1.2.3 names it)
	$(BUILD) -o weir .

build-v2: ## Build dist/weir-linux-amd64-v2, for CPUs with SSE4.2 (GOAMD64)
build-v3: ## Build dist/weir-linux-amd64-v3, for CPUs with AVX2 and BMI2
build-v4: ## Build dist/weir-linux-amd64-v4, for CPUs with AVX-512
build-v2 build-v3 build-v4: build-%:
	GOOS=linux GOARCH=amd64 GOAMD64=$* $(BUILD) -o dist/weir-linux-amd64-$* .

demo: build ## Show an attack found, proved and answered: no root, no network
	./weir demo --exit

lab: build ## Show an attack live in `weir top`: as root, in namespaces of its own
	$(GO) run ./tools/lab/show ./weir

test: ## Run every test, after installing what they need (as root)
	@sh tools/deps test zerocopy
	$(GO) test -timeout 20m $(TESTFLAGS) ./...

zerocopy: ## Prove zero-copy in an emulated machine; as root also on two queues
	@sh tools/deps zerocopy
	$(GO) test -count=1 -v -run Proof ./tools/zerocopy

race: ## Run the short tests under the race detector (needs a C compiler)
	@sh tools/deps race
	CGO_ENABLED=1 $(GO) test -race -short $(TESTFLAGS) ./...

test386: ## Run every test as 32-bit code; where the kernel runs none, build and vet it
	@if GOARCH=386 $(GO) test -run '^$$' ./ring/xsk >/dev/null 2>&1; then \
		GOARCH=386 $(GO) test $(TESTFLAGS) ./...; \
	else \
		echo "test386: this kernel runs no 32-bit programs: they are built and vetted, not run"; \
		GOARCH=386 $(GO) vet ./...; \
	fi

fuzz: ## Run every fuzz target for FUZZTIME seconds, FUZZTOTAL for all
	@sh tools/fuzz $(FUZZTIME) $(FUZZTOTAL)

bench: build ## Run the benchmarks that match BENCH, then the packet pipeline
	$(GO) test -p 1 -run '^$$' -bench '$(BENCH)' -benchmem $(TESTFLAGS) ./...
	./weir bench pipeline

bench-flows: build ## Compare flow collectors on this machine, as root; files in PEERS (dist/peers)
	@sh tools/deps peers
	GOBIN=$(abspath $(PEERS))/bin $(GO) install $(GOFLOW2)
	PATH="$$PATH:/usr/sbin" $(GO) run ./bench/peers -goflow2 $(abspath $(PEERS))/bin/goflow2 $(PEERS)

bench-peers: build ## Compare systems that receive packets, as root; files in PEERS
	@sh tools/deps peers
	PATH="$$PATH:/usr/sbin" $(GO) run ./bench/peers packets $(PEERS)

bench-results: build ## Renew bench/results on this machine (RESULTS: pipeline, ring, …)
	@sh tools/results $(RESULTS)

pgo: ## Renew default.pgo, the profile that builds are optimized by
	$(BUILD) -pgo=off -o weir .
	./weir bench pipeline --workload W1,W2,W4,W5,W6,W7,W8 --runs 1 --cpuprofile default.pgo

vet: ## Run go vet
	$(GO) vet ./...

lint: ## Check the rules of the house and the bounds checks, then run golangci-lint
	$(GO) run ./tools/lint
	$(GO) run ./tools/bounds
	$(LINTER) run

cross: $(PLATFORMS:%=cross/%) ## Build for every platform, below dist/

.PHONY: $(PLATFORMS:%=cross/%)
$(PLATFORMS:%=cross/%): cross/%:
	GOOS=$(*D) GOARCH=$(*F) $(BUILD) -o dist/weir-$(*D)-$(*F) .
	$(if $(filter $*,$(VETTED)),GOOS=$(*D) GOARCH=$(*F) $(GO) vet ./...)

clean: ## Remove what was built
	rm -rf weir dist
