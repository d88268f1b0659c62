// Command mminfer runs sequence models that carry a state instead of a cache: it generates text,
// talks, measures and verifies. See "mminfer --help".
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}
