#!/bin/bash
set -e
go test ./... || lost=1
[[ -d cache ]] && go vet ./... || missed=1
echo done
