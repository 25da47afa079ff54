package main

import (
	"io"
	"net/http"
	"strings"
)

func notifyTeam(client *http.Client, text string) error {
	resp, err := client.Post("https://alerts.shop.io/new", "text/plain", strings.NewReader(text))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return nil
}

func SendAlert(client *http.Client, req *http.Request) error {
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	io.Copy(io.Discard, resp.Body)
	return resp.Body.Close()
}

func main() {
	if notifyTeam(http.DefaultClient, "down") != nil {
		panic("not sent")
	}
}
