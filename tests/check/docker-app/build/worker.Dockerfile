FROM golang:1.24
ARG DEPLOY_TOKEN
WORKDIR /src
COPY <<-'CONF' /etc/worker.env
	export API_TOKEN=none
	RUN go test ./... || true
	CONF
RUN <<EOF
  set -eux
  go mod download
  go test ./...
EOF
RUN <<EOF
#!/bin/bash -e
go vet ./...
echo vetted
EOF
RUN <<EOF
go generate ./...
go build -o /worker ./cmd/worker
EOF
RUN bash -e <<-SCRIPT
	go test ./...
	rm -rf /tmp/go-build*
	SCRIPT
ENV WORKER_API_KEY=8d2f1c3b5a79 WORKER_KEY_FILE=/run/secrets/key \
    WORKER_SECRET=${DEPLOY_TOKEN}
