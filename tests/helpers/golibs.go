// What libraries print as a program dies or survives, by its first argument. For tests/e2e/deaths.py, which puts the paths of the
// versions in that fit the Go release.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"time"

	"github.com/apex/log"
	"github.com/apex/log/handlers/logfmt"
	"FIBER"
	"FIBER/middleware/recover"
	"github.com/golang/glog"
	"github.com/rs/zerolog"
	"github.com/sirupsen/logrus"
	"go.uber.org/zap"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
)

type item struct{ name string }

var (
	errPort = errors.New("address already in use")
	nothing *item
)

//go:noinline
func broken(i *item) string {
	return i.name // here
}

func serve() {
	app := fiber.New()
	app.Use(recover.New(recover.Config{EnableStackTrace: true}))
	app.Get("/", func(c CONTEXT) error { return c.SendString(broken(nothing)) })
	for i := 0; i < 3; i++ {
		answer, err := app.Test(httptest.NewRequest("GET", "/", nil))
		if err == nil {
			io.Copy(io.Discard, answer.Body)
		}
		fmt.Println("answered", i)
	}
}

func handle(really bool) {
	utilruntime.ReallyCrash = really
	for i := 0; i < 3; i++ {
		func() {
			defer utilruntime.HandleCrash()
			broken(nothing)
		}()
		klog.Infof("the worker goes on %d", i)
	}
	klog.Flush()
}

// A service's log before its last line: enough to be known as one.
func talk(info func(i int)) {
	for i := 0; i < 200; i++ {
		info(i)
	}
}

func zapped(config zap.Config, level string) {
	logger, err := config.Build()
	if err != nil {
		panic(err)
	}
	talk(func(i int) { logger.Info("request", zap.Int("i", i)) })
	switch level {
	case "fatal":
		logger.Fatal("cannot listen", zap.Error(errPort))
	case "panic":
		logger.Panic("cannot listen", zap.Error(errPort))
	case "dpanic":
		logger.DPanic("cannot listen", zap.Error(errPort))
	}
	talk(func(i int) { logger.Info("request", zap.Int("i", i)) })
}

func main() {
	modes := map[string]func(){
		"fiber":     serve,
		"k8s":       func() { handle(false) },
		"k8scrash":  func() { handle(true) },
		"klog":      func() { talk(func(i int) { klog.Infof("request %d", i) }); klog.Fatalf("cannot listen: %v", errPort) },
		"glog":      func() { talk(func(i int) { glog.Infof("request %d", i) }); glog.Fatalf("cannot listen: %v", errPort) },
		"zap":       func() { zapped(zap.NewProductionConfig(), "fatal") },
		"zapdev":    func() { zapped(zap.NewDevelopmentConfig(), "fatal") },
		"zappanic":  func() { zapped(zap.NewProductionConfig(), "panic") },
		"zapdpanic": func() { zapped(zap.NewProductionConfig(), "dpanic") },
		"zapbug":    func() { zapped(zap.NewDevelopmentConfig(), "dpanic") },
		"zerolog": func() {
			l := zerolog.New(os.Stderr).With().Timestamp().Logger()
			talk(func(i int) { l.Info().Int("i", i).Msg("request") })
			l.Fatal().Err(errPort).Msg("cannot listen")
		},
		"zerologconsole": func() {
			l := zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.RFC3339}).With().Timestamp().Logger()
			talk(func(i int) { l.Info().Int("i", i).Msg("request") })
			l.Fatal().Err(errPort).Msg("cannot listen")
		},
		"logrus": func() {
			talk(func(i int) { logrus.WithField("i", i).Info("request") })
			logrus.WithError(errPort).Fatal("cannot listen")
		},
		"logruscolour": func() {
			logrus.SetFormatter(&logrus.TextFormatter{ForceColors: true})
			talk(func(i int) { logrus.WithField("i", i).Info("request") })
			logrus.WithError(errPort).Fatal("cannot listen")
		},
		"logrusjson": func() {
			logrus.SetFormatter(&logrus.JSONFormatter{})
			talk(func(i int) { logrus.WithField("i", i).Info("request") })
			logrus.WithError(errPort).Fatal("cannot listen")
		},
		"apex": func() {
			log.SetHandler(logfmt.New(os.Stderr))
			talk(func(i int) { log.WithField("i", i).Info("request") })
			log.WithError(errPort).Fatal("cannot listen")
		},
	}
	modes[os.Args[1]]()
}
