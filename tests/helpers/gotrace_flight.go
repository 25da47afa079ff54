//go:build go1.25

package main

import (
	"os"
	"runtime/trace"
	"time"
)

func flight(name string) {
	fr := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: 500 * time.Millisecond, MaxBytes: 1 << 20})
	if err := fr.Start(); err != nil {
		panic(err)
	}
	work(1500*time.Millisecond, 0)
	f, err := os.Create(name)
	if err != nil {
		panic(err)
	}
	if _, err := fr.WriteTo(f); err != nil {
		panic(err)
	}
	if err := f.Close(); err != nil {
		panic(err)
	}
	fr.Stop()
}
