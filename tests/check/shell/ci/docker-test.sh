#!/bin/sh
# In a container: sh -c there has no flags of ours.
set -e
docker run --rm -v "$PWD:/src" -w /src -e CGO_ENABLED=0 golang:1.22 go test ./... | tee test.log
docker run --rm -v "$PWD:/src" -w /src golang:1.22 sh -c 'go vet ./...; go test ./...; echo done'
docker run --rm golang:1.22 sh -ec 'go vet ./...; go test ./...; echo done'
