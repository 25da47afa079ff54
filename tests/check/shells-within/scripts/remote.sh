#!/usr/bin/env bash
# Tests on the machine that has the hardware.
set -euo pipefail

host=${1:?host}
rsync -a ./ "$host:src/"
ssh "$host" <<'EOF'
cd src
go vet ./...
go test ./...
EOF
ssh "$host" bash -se <<'EOF'
cd src
go vet ./...
go test -race ./...
EOF
ssh "$host" 'bash -s' <<EOF
cd src
go build ./... ; echo "built on $host"
EOF
docker exec -i builder sh <<EOF
go generate ./...
git status
EOF
sudo -u app bash <<'EOF' | tee deploy.log
set -e
go install ./cmd/...
systemctl restart app
EOF
su - app -c 'go run ./cmd/migrate; echo migrated'
cat <<EOF | bash
go vet ./cmd/...
echo over
EOF
cat >run.sh <<'EOF'
#!/bin/sh
go test ./... ; true
EOF
flock /tmp/build.lock -c 'go build ./... && echo built'
