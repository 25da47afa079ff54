#!/bin/bash
. hack/lib.sh

need_go
go test ./... || die "tests failed"
go build -o dist/ ./cmd/... || exit $?
go mod verify || :
