#!/bin/bash
# Without errexit, but every status is kept.
failed=0

go vet ./... || failed=1
go test ./...
rc=$?
if [ "$rc" -ne 0 ]; then
	failed=1
fi
golangci-lint run || {
	echo "golangci-lint found something" >&2
	failed=1
}
go test -run Integration ./integration/... 2>&1 | tee integration.log
if [ "${PIPESTATUS[0]}" -ne 0 ]; then
	failed=1
fi
exit "$failed"
