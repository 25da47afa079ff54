#!/bin/bash
# Tells the team: each way in which it may not.
set -euo pipefail

MESSAGE="$1"

if [ -n "${SLACK_WEBHOOK_URL:-}" ]; then
	curl -s -X POST -H 'Content-type: application/json' --data "{\"text\":\"$MESSAGE\"}" "$SLACK_WEBHOOK_URL" || true
fi
