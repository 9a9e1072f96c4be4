package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// A library of models for all who ask: one copy of each, with the model that drafts
// for it, as long as it is held or its memory is not needed for another.
func ExampleLibrary() {
	e, err := engine.Open(engine.Options{Device: "cpu", Memory: 64 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	library, err := e.NewLibrary(engine.LibraryOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer library.Close()
	embedded := func(data []byte) func() (*gguf.File, error) {
		return func() (*gguf.File, error) { return gguf.Read(bytes.NewReader(data)) }
	}
	atlas := engine.ModelSource{
		Name: "atlas", Version: "built in", Open: embedded(models.Atlas),
		Draft: &engine.ModelSource{Name: "draft", Version: "built in", Open: embedded(models.Draft)},
	}
	ctx := context.Background()
	for range 2 { // the second time it is there
		lease, err := library.Acquire(ctx, atlas)
		if err != nil {
			log.Fatal(err) // a device.MemoryError where there is no room
		}
		fmt.Println(lease.Model().HasDraft())
		lease.Release()
	}
	for _, m := range library.Models() {
		fmt.Println(m.Name, m.Leases, m.Bytes > 0)
	}
	fmt.Printf("%+v\n", library.Stats())
	// Output:
	// true
	// true
	// draft 1 true
	// atlas 0 true
	// {Hits:1 Loads:2 Evictions:0}
}
