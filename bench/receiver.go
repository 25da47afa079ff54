// Command receiver is the other end of the measures in alerts.py: an HTTPS server that takes webhooks as fast as it can, counts
// them, and knows which it has seen. It makes its own certificate.
//
// usage: receiver CA.PEM      prints its port; GET /stats says what came, POST /reset forgets it, everything else is a webhook
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// The alerts that the measures make are named case-00042.
var mark = []byte("case-")

type stats struct {
	Requests    int      `json:"requests"`
	Unique      int      `json:"unique"`
	Unmarked    int      `json:"unmarked"`
	Bytes       int64    `json:"bytes"`
	Connections int      `json:"connections"`
	First       int64    `json:"first_ns"` // wall
	Last        int64    `json:"last_ns"`
	Bodies      []string `json:"bodies"` // of the first few
}

type receiver struct {
	mu   sync.Mutex
	seen map[int]bool
	now  stats
}

func (r *receiver) take(body []byte, at int64) {
	n := -1
	if i := bytes.Index(body, mark); i >= 0 && len(body) >= i+len(mark)+5 {
		if v, err := strconv.Atoi(string(body[i+len(mark) : i+len(mark)+5])); err == nil {
			n = v
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now.Requests == 0 {
		r.now.First = at
	}
	r.now.Requests++
	r.now.Last = at
	r.now.Bytes += int64(len(body))
	if len(r.now.Bodies) < 5 {
		r.now.Bodies = append(r.now.Bodies, string(body))
	}
	if n < 0 {
		r.now.Unmarked++
	} else if !r.seen[n] {
		r.seen[n] = true
		r.now.Unique++
	}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	at := time.Now().UnixNano()
	switch q.URL.Path {
	case "/stats":
		r.mu.Lock()
		defer r.mu.Unlock()
		json.NewEncoder(w).Encode(r.now)
	case "/reset":
		r.mu.Lock()
		defer r.mu.Unlock()
		r.now, r.seen = stats{}, map[int]bool{}
	default:
		body, err := io.ReadAll(q.Body)
		if err == nil {
			r.take(body, at)
		}
	}
}

func (r *receiver) connection(_ net.Conn, s http.ConnState) {
	if s == http.StateNew {
		r.mu.Lock()
		r.now.Connections++
		r.mu.Unlock()
	}
}

func certificate(path string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		log.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: receiver CA.PEM")
	}
	r := &receiver{seen: map[int]bool{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	// No HTTP/2: each side is to show its connections that are kept alive.
	//tocsin:allow R12 what it does to clients on purpose would fill the log
	s := &http.Server{Handler: r, ConnState: r.connection, ErrorLog: log.New(io.Discard, "", 0), TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate(os.Args[1])}}}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	log.Fatal(s.ServeTLS(l, "", ""))
}
