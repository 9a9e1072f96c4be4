// Publish writes Realm in a page as static files: to web/demo/dist, which a build with
// the tag demo takes in, or to another folder.
//
//	go run ./web/demo/publish [-o DIR] [-quality N]
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/realm-webgpu/realm/web/demo/build"
)

func main() {
	dir := flag.String("o", "web/demo/dist", "the `folder` to write to")
	quality := flag.Int("quality", build.BestQuality, "how hard to compress, 0 to 11; the best takes minutes")
	flag.Parse()
	if flag.NArg() > 0 || *quality < 0 || *quality > build.BestQuality {
		flag.Usage()
		os.Exit(2)
	}
	if err := build.Publish(*dir, *quality); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(*dir)
}
