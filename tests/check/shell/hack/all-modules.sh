#!/bin/bash
# Every module of the repository.
for dir in . ./api ./tools; do
	(cd "$dir" && go test ./...)
done

find . -name go.mod -execdir go vet ./... \;
