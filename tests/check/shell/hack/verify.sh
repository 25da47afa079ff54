#!/usr/bin/env bash
# Functions that are called in conditions: errexit is off in them.
set -o errexit
set -o nounset
set -o pipefail

verify_generated() {
	go generate ./...
	git diff --exit-code
}

verify_lint() {
	golangci-lint run ./...
	echo "lint is content"
}

verify_tidy() {
	go mod tidy || return 1
	git diff --exit-code go.mod go.sum
}

verify_generated
if ! verify_lint; then
	echo "lint failed" >&2
	exit 1
fi
verify_tidy || exit 1
