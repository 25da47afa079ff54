#!/bin/bash
set -eux
docker login -u ci -p "$REGISTRY_PASSWORD" registry.example.com
set +x
echo "token: $DEPLOY_TOKEN"
echo "token is ${DEPLOY_TOKEN:+set}"
echo "$DEPLOY_TOKEN" | helm registry login --password-stdin registry.example.com
