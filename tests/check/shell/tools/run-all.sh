#!/bin/bash
# Scripts of the tree: what they lead to decides.
set -e
./scripts/coverage.sh || true
bash hack/packages.sh | tee packages.log
./tools/hello.sh || true
