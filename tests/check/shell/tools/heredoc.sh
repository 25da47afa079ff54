#!/bin/bash
set -e
cat <<TEXT | tee motd
go test ./... || true
TEXT
ssh build@host.example.com 'cd src && go test ./...; uptime'
ssh build@host.example.com <<'REMOTE'
cd src
go test ./...
REMOTE
echo "go vet ./... | tee vet.log"
# go test ./... || true
! go vet ./...
exec go run ./cmd/server
