#!/bin/bash
set -e
version() {
	local v=$(go run ./cmd/version)
	echo "$v"
}

echo "running $(go run ./cmd/version)"
out=$(go run ./cmd/version)
echo "$out"
version
if go test ./...; then
	echo "tests passed"
fi
if go build -o /dev/null ./cmd/extra 2>/dev/null; then
	echo "extra can be built"
else
	exit 1
fi
