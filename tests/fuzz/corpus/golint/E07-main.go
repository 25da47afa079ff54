package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"
)

func main() {
	cmd := exec.Command("sh", "-c", "exit 3")
	cmd.Stdout = os.Stdout
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	exec.Command("true").Start()
	time.Sleep(200 * time.Millisecond)
	state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	fmt.Println(string(state))
}
