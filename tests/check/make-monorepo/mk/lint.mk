GOLANGCI_LINT ?= $(shell command -v golangci-lint)

.PHONY: lint vet
lint: vet
	$(GOLANGCI_LINT) run --timeout 5m ./...

vet:
	$(Q)$(GO) vet ./... 2>&1 | tee vet.log
