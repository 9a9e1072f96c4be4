// Record writes the transcript of a device as JSON: natively, or in a page.
//
//	go run ./e2e/transcript/record [DEVICE]
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/realm-webgpu/realm/e2e/transcript"
)

func main() {
	device := ""
	if len(os.Args) > 1 {
		device = os.Args[1]
	}
	t, err := transcript.Record(context.Background(), device)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(t)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}
