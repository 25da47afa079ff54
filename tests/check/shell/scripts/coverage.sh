#!/bin/sh
# No errexit: what fails is passed over.
go test -coverprofile=cover.out ./...
go tool cover -func=cover.out | tail -n 1
rm -f cover.out
