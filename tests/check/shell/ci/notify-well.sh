#!/bin/bash
# The same, so that it arrives or is missed.
set -euo pipefail

: "${SLACK_WEBHOOK_URL:?is not set}"
jq -n --arg text "$1" '{text: $text}' >alert.json
printf 'url = "%s"\n' "$SLACK_WEBHOOK_URL" |
	curl --config - --fail --silent --show-error --max-time 20 --retry 3 --retry-connrefused \
		-H 'Content-Type: application/json' --data @alert.json
