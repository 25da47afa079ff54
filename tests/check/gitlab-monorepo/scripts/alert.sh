#!/bin/sh
set -e
curl --fail --max-time 20 --retry 3 --retry-connrefused -K "$ALERT_CONFIG" --data @failed.json
