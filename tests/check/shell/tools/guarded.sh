#!/bin/bash
# Behind `tocsin run` the failure is kept and told.
tocsin run -- go test ./... | tee test.log
tocsin run --name vet -- go vet ./... || true
echo "over"
