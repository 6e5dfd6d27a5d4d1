# What a developer needs by day. `make run` and `make build` need Go, make and git; `make test` as root on Debian
# installs the rest itself.

GO          ?= go
TOOLS       := $(CURDIR)/.cache/bin
STATICCHECK := $(TOOLS)/staticcheck-v0.8.2
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# go test's own arguments, such as TESTFLAGS='-run TestName ./smtp/...'
TESTFLAGS   ?= ./...
TESTTIMEOUT ?= 20m
FUZZTIME    ?= 10s
BENCHFLAGS  ?= -benchtime=1s

.PHONY: all build run setup test lint bench fuzz

all: build

# The static binary bin/postern.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/postern ./cmd/postern

# A complete server for trying out, until ^C. ARGS='--port-base 3000' for other ports.
run: build
	bin/postern demo $(ARGS)

# The programs that tests talk to: real mail clients, peers, PostgreSQL. Only as root on Debian and its kin.
setup:
	scripts/setup-debian.sh

# Every test that this machine can run; what was left out is listed at the end. With CI set nothing may be left out.
test: setup build
	POSTERN_BINARY=$(CURDIR)/bin/postern $(GO) run ./scripts/testreport -timeout $(TESTTIMEOUT) $(TESTFLAGS)

lint: $(STATICCHECK)
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(STATICCHECK) ./...

$(STATICCHECK):
	mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install honnef.co/go/tools/cmd/staticcheck@v0.8.2
	mv $(TOOLS)/staticcheck $@

# Each fuzz target for FUZZTIME.
fuzz:
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

# Figures of the real server over loopback TLS, with the disk's own beside them, and then those of its parts.
# BENCHARGS='-run SELECT' measures some of the server only, see `go run ./test/bench -h`.
bench: build
	$(GO) run ./test/bench -postern bin/postern $(BENCHARGS)
	$(GO) test -run '^$$' -bench . -benchmem $(BENCHFLAGS) -timeout 60m ./...
