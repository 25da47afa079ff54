# Read by others (`. hack/lib.sh`): whose flags hold is not known here.
die() {
	echo "$*" >&2
	exit 1
}

build_all() {
	go build ./...
	go vet ./...
}

need_go() {
	command -v go >/dev/null 2>&1 || die "go is missing"
}
