# The same commands run here and in .ci/run.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Go's own installer does not touch PATH.
export PATH := $(PATH):/usr/local/go/bin
# Nothing here needs cgo; without it no C compiler is needed and every binary is static.
export CGO_ENABLED ?= 0

LINT_MODULE := github.com/golangci/golangci-lint/v2
LINT_VERSION := $(shell sed -n 's|^\t$(LINT_MODULE) \(v[^ ]*\).*|\1|p' tools/golangci-lint/go.mod)
# A linter built by another Go release cannot read this one's export data.
LINT := bin/golangci-lint-$(LINT_VERSION)-$(shell go env GOVERSION 2>/dev/null)

TFLINT_MODULE := github.com/terraform-linters/tflint
TFLINT_VERSION := $(shell sed -n 's|^\t$(TFLINT_MODULE) \(v[^ ]*\).*|\1|p' tools/tflint/go.mod)
TFLINT := bin/tflint-$(TFLINT_VERSION)-$(shell go env GOVERSION 2>/dev/null)

OASDIFF_MODULE := github.com/oasdiff/oasdiff
OASDIFF_VERSION := $(shell sed -n 's|^\t$(OASDIFF_MODULE) \(v[^ ]*\).*|\1|p' tools/oasdiff/go.mod)
OASDIFF := bin/oasdiff-$(OASDIFF_VERSION)-$(shell go env GOVERSION 2>/dev/null)

ACTIONLINT_MODULE := github.com/rhysd/actionlint
ACTIONLINT_VERSION := $(shell sed -n 's|^\t$(ACTIONLINT_MODULE) \(v[^ ]*\).*|\1|p' tools/actionlint/go.mod)
ACTIONLINT := bin/actionlint-$(ACTIONLINT_VERSION)-$(shell go env GOVERSION 2>/dev/null)

GITLEAKS_MODULE := github.com/zricethezav/gitleaks/v8
GITLEAKS_VERSION := $(shell sed -n 's|^\t$(GITLEAKS_MODULE) \(v[^ ]*\).*|\1|p' tools/gitleaks/go.mod)
GITLEAKS := bin/gitleaks-$(GITLEAKS_VERSION)-$(shell go env GOVERSION 2>/dev/null)

KUBESCORE_MODULE := github.com/zegl/kube-score
KUBESCORE_VERSION := $(shell sed -n 's|^\t$(KUBESCORE_MODULE) \(v[^ ]*\).*|\1|p' tools/kubescore/go.mod)
KUBESCORE := bin/kube-score-$(KUBESCORE_VERSION)-$(shell go env GOVERSION 2>/dev/null)

KUBECONFORM_MODULE := github.com/yannh/kubeconform
KUBECONFORM_VERSION := $(shell sed -n 's|^\t$(KUBECONFORM_MODULE) \(v[^ ]*\).*|\1|p' tools/kubeconform/go.mod)
KUBECONFORM := bin/kubeconform-$(KUBECONFORM_VERSION)-$(shell go env GOVERSION 2>/dev/null)
# The schemas that it checks with, made of Kubernetes', KEDA's, Argo CD's and cert-manager's own modules.
KUBESCHEMAS := bin/kubeschemas/made

# npm's own record of what it has installed.
NODE_MODULES := tools/contract/node_modules/.package-lock.json
# The app's flow in TypeScript, type-checked against the contract.
APP := tools/contract/dist/analyze.js

# A clone owned by another user has no readable version information.
VCS := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo auto || echo false)

# What `make unit` and `make bench` test; PKG=./services/waste narrows it down.
PKG ?= ./...
# What `make dev` hands to wcctl, as in ARGS=--reset.
ARGS ?=

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: dev
dev: ## Run the whole system on this machine (ARGS=--reset …)
	@tools/setup.sh dev
	@$(MAKE) bin/wcctl
	@bin/wcctl dev $(ARGS)

.PHONY: test
test: ## Set up, lint, then run every test: what CI runs
	@$(MAKE) -j2 setup $(LINT) $(TFLINT) $(OASDIFF) $(ACTIONLINT) $(GITLEAKS) $(KUBESCORE) $(KUBECONFORM)
	@$(MAKE) lint
	@$(MAKE) unit

.PHONY: setup
setup: ## Install the system packages that tests need and that are missing
	@tools/setup.sh test

.PHONY: lint
lint: $(LINT) $(TFLINT) $(ACTIONLINT) $(GITLEAKS) $(KUBESCORE) $(KUBECONFORM) contract ## Check formatting, style, the walls between packages, and the API's contract
	@echo "lint: $(LINT_VERSION); the first run compiles every dependency and takes minutes"
	@$(LINT) run
	@echo "lint: shell scripts, pipelines, Ansible, Terraform"
	@git ls-files '*.sh' .ci/run | xargs shellcheck
	@$(ACTIONLINT)
	@cd infra/ansible && ansible-lint --offline -q
	@terraform fmt -check -recursive infra/terraform
	@$(TFLINT) --config=$(CURDIR)/.tflint.hcl --recursive --chdir=infra/terraform
	@echo "lint: charts"
	@$(MAKE) charts
	@echo "lint: secrets"
	@$(MAKE) secrets

# Every commit, what is staged and what is not, and files that Git does not know yet: reading the folder
# itself would read binaries and npm's modules, too, which takes minutes.
.PHONY: secrets
secrets: $(GITLEAKS) ## Look for secrets in the files and in every commit
	@$(GITLEAKS) git --no-banner --log-level warn --redact --verbose .
	@$(GITLEAKS) git --no-banner --log-level warn --redact --verbose --pre-commit .
	@$(GITLEAKS) git --no-banner --log-level warn --redact --verbose --staged .
	@git ls-files -z --others --exclude-standard | xargs -0r cat | \
		$(GITLEAKS) stdin --no-banner --log-level warn --redact --verbose --config .gitleaks.toml

# Each check of kube-score that is left out has its reason in charts/README.md.
SCORE_IGNORE := container-image-pull-policy deployment-has-host-podantiaffinity \
	statefulset-has-host-podantiaffinity statefulset-has-poddisruptionbudget statefulset-has-servicename

.PHONY: charts
charts: $(KUBESCORE) $(KUBECONFORM) $(KUBESCHEMAS) ## Check what the charts render (the goldens) for faults
	@$(KUBECONFORM) -strict -summary -skip k8s.nginx.org/v1/Policy,postgresql.cnpg.io/v1/Cluster,postgresql.cnpg.io/v1/ScheduledBackup \
		-schema-location '$(dir $(KUBESCHEMAS)){{.ResourceKind}}{{.KindSuffix}}.json' charts/testdata
	@for file in charts/testdata/{,platform/}*-f5.yaml charts/testdata/{*-compat,fixed,platform/monitoring}.yaml; do \
		case $$file in */data-*|*/monitoring.yaml) data='--ignore-test pod-probes-identical' ;; *) data= ;; esac; \
		$(KUBESCORE) score --output-format ci --kubernetes-version v1.36 --ignore-container-cpu-limit \
			$(SCORE_IGNORE:%=--ignore-test %) $$data "$$file" >bin/kube-score.out || \
			{ echo "$$file:"; grep -v '^\[OK\]\|^\[SKIPPED\]' bin/kube-score.out; exit 1; }; \
	done

.PHONY: contract
contract: $(OASDIFF) $(APP) ## Lint the API's contract, compare it with the last release's, build its client
	@node tools/contract/lint.mjs docs/openapi.yaml
	@node tools/contract/breaking.mjs . $(OASDIFF)
	@OASDIFF=$(OASDIFF) node --test --test-reporter=dot tools/contract/breaking.test.mjs

.PHONY: baseline
baseline: ## Make today's contract what later ones may not break: part of the commit that a release tags
	@cp docs/openapi.yaml api/baseline/openapi.yaml
	@echo '{}' >api/baseline/accepted.json

.PHONY: fmt
fmt: $(LINT) ## Format the code
	@$(LINT) fmt

# -vet=off: lint has run vet already. -count=1: the tests' PostgreSQL and Redis are inputs that the
# test cache does not see.
.PHONY: unit
unit: ## Run the tests without linting (PKG=./services/waste …)
	@go test -vet=off -count=1 -timeout 8m $(PKG)

.PHONY: e2e
e2e: setup build ## Run the real binary against the whole system
	@go test -vet=off -count=1 -timeout 15m -tags e2e ./e2e

# RUN=. runs all of them, faults and conformance included: about two hours.
RUN ?= ^TestUp$$
.PHONY: e2e-cluster
e2e-cluster: ## Make a real kubeadm cluster on this machine, as root (RUN=. breaks it, too)
	@tools/setup.sh cluster
	@$(MAKE) build
	@go test -vet=off -count=1 -timeout 170m -v -tags e2e -run '$(RUN)' \
		./e2e/cluster ./internal/wcctl/localmachine

.PHONY: e2e-deploy
e2e-deploy: ## Deploy the whole system to such a cluster and change, load and break it
	@$(MAKE) e2e-cluster RUN='^TestSystem$$'

.PHONY: bench
bench: ## Run the benchmarks (PKG=./services/waste …)
	@go test -vet=off -run '^$$' -bench . -benchmem $(PKG)

.PHONY: build
build: ## Build every binary into bin/
	@mkdir -p bin
	@go build -buildvcs=$(VCS) -o bin/ ./cmd/...

# Go decides whether there is anything to do.
.PHONY: bin/wcctl
bin/wcctl:
	@mkdir -p bin
	@go build -buildvcs=$(VCS) -o $@ ./cmd/wcctl

.PHONY: clean
clean: ## Remove what was built
	@rm -rf bin tools/contract/node_modules tools/contract/generated tools/contract/dist

$(LINT): tools/golangci-lint/go.mod tools/golangci-lint/go.sum
	@echo "lint: building golangci-lint $(LINT_VERSION) from its module: about two minutes, once"
	@mkdir -p bin
	@cd tools/golangci-lint && go build -buildvcs=false -trimpath \
		-ldflags '-s -w -X main.version=$(LINT_VERSION:v%=%)' \
		-o $(CURDIR)/$@ $(LINT_MODULE)/cmd/golangci-lint
	@touch $@

$(TFLINT): tools/tflint/go.mod tools/tflint/go.sum
	@echo "lint: building tflint $(TFLINT_VERSION) from its module: about three minutes, once"
	@mkdir -p bin
	@cd tools/tflint && go build -buildvcs=false -trimpath -ldflags '-s -w' -o $(CURDIR)/$@ $(TFLINT_MODULE)
	@touch $@

$(OASDIFF): tools/oasdiff/go.mod tools/oasdiff/go.sum
	@echo "contract: building oasdiff $(OASDIFF_VERSION) from its module, once"
	@mkdir -p bin
	@cd tools/oasdiff && go build -buildvcs=false -trimpath -ldflags '-s -w' -o $(CURDIR)/$@ $(OASDIFF_MODULE)
	@touch $@

$(ACTIONLINT): tools/actionlint/go.mod tools/actionlint/go.sum
	@echo "lint: building actionlint $(ACTIONLINT_VERSION) from its module, once"
	@mkdir -p bin
	@cd tools/actionlint && go build -buildvcs=false -trimpath -ldflags '-s -w' \
		-o $(CURDIR)/$@ $(ACTIONLINT_MODULE)/cmd/actionlint
	@touch $@

$(GITLEAKS): tools/gitleaks/go.mod tools/gitleaks/go.sum
	@echo "lint: building gitleaks $(GITLEAKS_VERSION) from its module, once"
	@mkdir -p bin
	@cd tools/gitleaks && go build -buildvcs=false -trimpath -ldflags '-s -w' -o $(CURDIR)/$@ $(GITLEAKS_MODULE)
	@touch $@

$(KUBESCORE): tools/kubescore/go.mod tools/kubescore/go.sum
	@echo "lint: building kube-score $(KUBESCORE_VERSION) from its module, once"
	@mkdir -p bin
	@cd tools/kubescore && go build -buildvcs=false -trimpath -ldflags '-s -w' \
		-o $(CURDIR)/$@ $(KUBESCORE_MODULE)/cmd/kube-score
	@touch $@

$(KUBECONFORM): tools/kubeconform/go.mod tools/kubeconform/go.sum
	@echo "lint: building kubeconform $(KUBECONFORM_VERSION) from its module, once"
	@mkdir -p bin
	@cd tools/kubeconform && go build -buildvcs=false -trimpath -ldflags '-s -w' \
		-o $(CURDIR)/$@ $(KUBECONFORM_MODULE)/cmd/kubeconform
	@touch $@

$(KUBESCHEMAS): tools/kubeschema/go.mod tools/kubeschema/go.sum tools/kubeschema/main.go
	@echo "lint: making schemas of Kubernetes', KEDA's, Argo CD's and cert-manager's kinds, once"
	@rm -rf $(dir $@)
	@cd tools/kubeschema && \
		kubernetes=$$(go mod download -json k8s.io/kubernetes | sed -n 's/^\t"Dir": "\(.*\)",/\1/p') && \
		keda=$$(go mod download -json github.com/kedacore/keda/v2 | sed -n 's/^\t"Dir": "\(.*\)",/\1/p') && \
		argocd=$$(go mod download -json github.com/argoproj/argo-cd/v3 | sed -n 's/^\t"Dir": "\(.*\)",/\1/p') && \
		certs=$$(go mod download -json github.com/cert-manager/cert-manager | sed -n 's/^\t"Dir": "\(.*\)",/\1/p') && \
		barman=$$(go mod download -json github.com/cloudnative-pg/plugin-barman-cloud | sed -n 's/^\t"Dir": "\(.*\)",/\1/p') && \
		go run . $(CURDIR)/$(dir $@) "$$kubernetes/api/openapi-spec/swagger.json" \
			"$$keda"/config/crd/bases/*.yaml "$$argocd"/manifests/crds/*-crd.yaml "$$certs"/deploy/crds/*.yaml \
			"$$barman"/config/crd/bases/*.yaml
	@touch $@

$(NODE_MODULES): tools/contract/package.json tools/contract/package-lock.json
	@cd tools/contract && npm ci --no-progress --loglevel=error
	@touch $@

$(APP): docs/openapi.yaml $(NODE_MODULES) $(wildcard tools/contract/*.ts) tools/contract/*.json
	@cd tools/contract && node_modules/.bin/openapi-typescript ../../docs/openapi.yaml -o generated/openapi.d.ts
	@cd tools/contract && node_modules/.bin/tsc
	@touch $@
