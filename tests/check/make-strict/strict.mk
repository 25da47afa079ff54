SHELL := /bin/bash -eo pipefail
