#!/bin/bash
# Failures that are counted, and read in other ways than $name.
set -e
errors=()
for d in api store; do go test "./$d/..." || errors+=("$d"); done
[ ${#errors[@]} -eq 0 ]

declare -A results
go build ./... || results[build]=failed
for k in "${!results[@]}"; do echo "$k ${results[$k]}"; done
test -z "${results[*]}"

vet=0
unit=0
go vet ./... || vet=$?
go test -short ./... || unit=$?
((vet == 0&&unit==0))

race=0
[[ -d cache ]] && go test -race ./... || race=1
[[ 0 -eq race ]]

go vet -tags e2e ./... || late=1
if [[ -v late ]]; then exit 1; fi

go test -tags e2e ./... || VERDICT=failed
export VERDICT
./report
