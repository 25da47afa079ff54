#!/bin/bash
set -e
go test $(go list ./... | grep -v /e2e)
pkgs=$(go list ./...)
go vet $pkgs
