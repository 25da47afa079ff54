#!/usr/bin/env bash
# The whole check of a pull request: strict mode, and one pipe that it makes safe.
set -euo pipefail

cd "$(dirname "$0")/.."

echo "+++ formatting"
test -z "$(gofmt -l ./cmd ./internal)"

echo "+++ vet"
go vet ./...

echo "+++ tests"
go test -race -count=1 ./... 2>&1 | tee test.log

echo "+++ build"
GOFLAGS=-trimpath go build -o bin/ ./cmd/...
