package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

func main() {
	report := map[string]any{"ratio": math.NaN()}
	body, _ := json.Marshal(report)
	sent, _ := io.ReadAll(bytes.NewReader(body))
	fmt.Println(len(sent), "bytes sent")
}
