package lint

import (
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// good is a small tree that obeys every law, in the form "-- path --" and the file's text.
const good = `
-- go.mod --
module example.org/m

go 1.26

require (
	golang.org/x/sys v0.50.0
	golang.org/x/text v0.44.0
	gorgonia.org/tensor v0.9.24
)

require github.com/x448/float16 v0.8.4
-- .gitignore --
/m
*.prof
-- README.md --
M.
-- doc.go --
// Package m is the product.
package m

import (
	"errors"

	"example.org/m/models"
	"example.org/m/tokenizer"
)

// Err is a sentinel.
var Err = errors.New("m: no")

// Engine has Types.
type Engine struct {
	Types []string
	Name  string // of the model

	hidden int
}

// A Namer names.
type Namer interface {
	Name() string // never empty
}

// Open opens.
func (e *Engine) Open() { e.Types, e.Name = models.Types(), tokenizer.Name() }
-- doc_test.go --
package m

import (
	"fmt"
	"os"
	"testing"

	"example.org/m/demo"
	"gonum.org/v1/gonum/mat"
)

func Test(t *testing.T) {
	go fmt.Println(os.Getenv("HOME"), demo.Fable, mat.Dense{})
}
-- demo/demo.go --
// Package demo holds models.
package demo

import "embed"

// FS holds files.
//
//go:embed *.go
var FS embed.FS

// Names of the models.
const (
	Fable = "fable"
	Other = "other"
)
-- tokenizer/tokenizer.go --
// Package tokenizer cuts text.
package tokenizer

import "golang.org/x/text/unicode/norm"

// Name names the package.
func Name() string { return norm.NFC.String("tokenizer") }
-- tensor/pool.go --
// Package tensor has a pool.
package tensor

// Run runs f.
func Run(f func()) {
	// TODO: reuse goroutines when one start a call shows in a profile.
	go f()
}
-- models/registry.go --
// Package models has a registry.
package models

var architectures = map[string]func(){
	"foo": nil,
}

// Types lists the registry.
func Types() (list []string) {
	for k := range architectures {
		list = append(list, k)
	}
	return list
}
-- models/testdata/go.mod --
module testdata
-- models/testdata/golden/foo/config.json --
{"model_type": "foo"}
-- models/testdata/golden/foo/verify.json --
{}
-- models/testdata/golden/foo/want.safetensors --
x
-- models/testdata/broken.go --
package broken(
-- cmd/m/main.go --
// Command m prints.
package main

import (
	"fmt"
	"log"
	"os"

	"example.org/m"
	"example.org/m/kernels/add"
)

func main() {
	go fmt.Println(m.Err)
	add.Add(nil)
	log.Print("done")
	os.Exit(0)
}
-- kernels/kernels.go --
// Package kernels has a registry.
package kernels

var registry []*bool

var order = map[string]int{"AVX2": 1}

func init() { order["NEON"] = 1 }

// Register adds a flag.
func Register(kernel, isa string, use *bool) {
	if order[isa] == 0 {
		panic("kernels.Register: " + isa)
	}
	registry = append(registry, use)
}
-- internal/kerneltest/kerneltest.go --
// Package kerneltest tests kernels.
package kerneltest

import "os"

// All runs test.
func All(t any, kernel string, test func()) { _ = os.Getenv("ISA") }
-- kernels/add/add.go --
// Package add adds.
package add

// Add adds one to x.
func Add(x []float32) {
	if len(x) == 0 {
		panic("add.Add: empty")
	}
	addOne(x)
}

func addGeneric(x []float32) {
	x[0]++
}
-- kernels/add/add_amd64.go --
//go:build !purego

package add

import "example.org/m/kernels"

var useAVX2 = true

func init() { kernels.Register("add.Add", "AVX2", &useAVX2) }

//go:noescape
func addAVX2(x []float32)

func addOne(x []float32) {
	if useAVX2 {
		addAVX2(x)
		return
	}
	addGeneric(x)
}
-- kernels/add/add_noasm.go --
//go:build !amd64 || purego

package add

func addOne(x []float32) { addGeneric(x) }
-- kernels/add/add_test.go --
package add

import (
	"testing"

	"example.org/m/internal/kerneltest"
)

func TestAdd(t *testing.T) { kerneltest.All(t, "add.Add", func() {}) }
-- kernels/add/add_amd64.h --
// ONE: Y1 = 1.
#define ONE \
	VPCMPEQD Y1, Y1, Y1 \
	VPSRLD $25, Y1, Y1
#define BOTH ONE
-- kernels/add/add_amd64.s --
//go:build !purego

#include "add_amd64.h"

// func addAVX2(x []float32)
// Requires: AVX2. X0 element, Y1 one.
TEXT ·addAVX2(SB), NOSPLIT, $0-24
	MOVQ x_base+0(FP), SI
	BOTH; VADDSS (SI), X1, X0
	JMP done

done:
	VMOVSS X0, (SI)
	VZEROUPPER
	RET
`

// files cuts a tree in the form of good, and puts its index beside it.
func files(text string) fstest.MapFS {
	tree := make(fstest.MapFS)
	heads := regexp.MustCompile(`(?m)^-- (.+) --\n`)
	at := heads.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		tree[text[m[2]:m[3]]] = &fstest.MapFile{Data: []byte(text[m[1]:end])}
	}
	return tree
}

// index encodes git's index of paths.
func index(version uint32, paths []string) []byte {
	b := []byte("DIRC")
	b = binary.BigEndian.AppendUint32(b, version)
	b = binary.BigEndian.AppendUint32(b, uint32(len(paths)))
	last := ""
	for _, p := range paths {
		entry := make([]byte, 62)
		if version == 3 {
			entry[60] = 0x40
			entry = append(entry, 0, 0)
		}
		if version == 4 {
			same := 0
			for same < min(len(p), len(last)) && p[same] == last[same] {
				same++
			}
			strip := len(last) - same
			if strip > 127 {
				strip -= 128
				entry = append(entry, 0x80|byte(strip>>7), byte(strip&0x7f))
			} else {
				entry = append(entry, byte(strip))
			}
			entry = append(append(entry, p[same:]...), 0)
		} else {
			entry = append(append(entry, p...), 0)
			entry = append(entry, make([]byte, -len(entry)&7)...)
		}
		b = append(b, entry...)
		last = p
	}
	return append(b, make([]byte, 20)...)
}

func TestTracked(t *testing.T) {
	want := []string{"a", "dir/" + strings.Repeat("long", 60), "dir/longer", "dir/longer/b", "e"}
	for version := uint32(2); version <= 4; version++ {
		r := &Repo{fsys: fstest.MapFS{".git/index": {Data: index(version, want)}}}
		got, err := r.tracked()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("version %d: %q, %v", version, got, err)
		}
	}
	for _, bad := range [][]byte{nil, []byte("DIRC"), index(2, want)[:100], index(4, want)[:90], []byte("DIRX00000000")} {
		r := &Repo{fsys: fstest.MapFS{".git/index": {Data: bad}}}
		if got, err := r.tracked(); err == nil {
			t.Errorf("%d bytes: %q and no error", len(bad), got)
		}
	}
}
