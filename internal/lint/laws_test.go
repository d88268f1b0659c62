package lint

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// edit changes a file of the good tree: the first old becomes text, or the whole file if old is
// empty. A file that is not there is added.
type edit struct{ path, old, text string }

// breaches are edits of the good tree with all that the law must find in the result.
var breaches = []struct {
	law   string
	edits []edit
	want  []string
}{
	{"floors", []edit{{"models/a.go", "", "package models\n\nimport _ \"example.org/m/loader\"\n"}},
		[]string{`models/a.go:3: models (floor 4) imports loader (floor 2)`}},
	{"floors", []edit{{"models/a_test.go", "", "package models\n\nimport _ \"example.org/m/loader\"\n"}}, nil},
	{"floors", []edit{{"kernels/add/a_test.go", "", "package add\n\nimport _ \"example.org/m/tensor\"\n"}},
		[]string{`kernels/add/a_test.go:3: kernels (floor 0) imports tensor (floor 1)`}},
	{"floors", []edit{{"doc.go", `"errors"`, `_ "example.org/m/cmd/m"`}}, []string{`doc.go:5: the root (floor 6) imports cmd/m (floor 8)`}},
	{"floors", []edit{{"doc.go", `"errors"`, `_ "example.org/m/demo"`}}, []string{`doc.go:5: the root (floor 6) imports demo (floor 0)`}},
	{"floors", []edit{{"server/a.go", "", "package server\n\nimport _ \"example.org/m/models\"\n"}},
		[]string{`server/a.go:3: server (floor 7) imports models (floor 4)`}},
	{"floors", []edit{{"cmd/m/main.go", `"log"`, `_ "example.org/m/internal/kerneltest"`}}, []string{`cmd/m/main.go:6: cmd (floor 8) imports internal/kerneltest`}},
	{"floors", []edit{{"util/a.go", "", "package util\n"}}, []string{`util/a.go:1: package has no room`}},
	{"floors", []edit{{"internal/util/a.go", "", "package util\n"}}, []string{`internal/util/a.go:1: package has no room`}},
	{"floors", []edit{{"doc.go", `"errors"`, `_ "gonum.org/v1/gonum/mat"`}}, []string{`doc.go:5: the root imports gonum.org/v1/gonum/mat`}},
	{"floors", []edit{{"nn/a.go", "", "package nn\n\nimport _ \"golang.org/x/sys/cpu\"\n"}}, []string{`nn/a.go:3: nn imports golang.org/x/sys/cpu`}},
	{"floors", []edit{{"kernels/a.go", "", "package kernels\n\nimport _ \"golang.org/x/sys/unix\"\n"}}, []string{`kernels/a.go:3: kernels imports golang.org/x/sys/unix`}},
	{"floors", []edit{{"kernels/a.go", "", "package kernels\n\nimport \"C\"\n"}}, []string{`kernels/a.go:3: cgo`}},

	{"root dependencies", []edit{{"tokenizer/a.go", "", "package tokenizer\n\nimport (\n_ \"a.org/1\"\n_ \"a.org/2\"\n_ \"a.org/3\"\n_ \"a.org/4\"\n_ \"a.org/5\"\n_ \"a.org/6\"\n)"}},
		[]string{"a.org/1 is not in go.mod", "a.org/2 is not", "a.org/3 is not", "a.org/4 is not", "a.org/5 is not", "a.org/6 is not", "go.mod:1: the root package depends on 7 modules"}},
	{"root dependencies", []edit{{"cmd/m/a.go", "", "package main\n\nimport _ \"a.org/1\"\n"}}, nil},

	{"unsafe", []edit{{"tokenizer/a.go", "", "package tokenizer\n\nimport \"unsafe\"\n"}}, []string{`tokenizer/a.go:3: imports unsafe`}},
	{"unsafe", []edit{{"cmd/m/a_test.go", "", "package main\n\nimport \"unsafe\"\n"}}, []string{`cmd/m/a_test.go:3: imports unsafe`}},
	{"unsafe", []edit{{"tensor/a.go", "", "package tensor\n\nimport \"unsafe\"\n"}}, nil},
	{"unsafe", []edit{{"tokenizer/a.go", "", "package tokenizer\n\n//go:linkname a runtime.a\nfunc a()\n"}}, []string{`tokenizer/a.go:3: go:linkname`}},

	{"goroutines", []edit{{"tensor/a.go", "", "package tensor\n\nfunc f() {\n\tgo f()\n}\n"}}, []string{`tensor/a.go:4: go statement`}},
	{"goroutines", []edit{{"tensor/a.go", "", "package tensor\n\nimport \"time\"\n\nfunc f(g group) {\n\tg.Go(func() {})\n\ttime.AfterFunc(1, nil)\n}\n"}},
		[]string{`tensor/a.go:6: a method Go`, `tensor/a.go:7: time.AfterFunc`}},

	{"process", []edit{{"doc.go", `"errors"`, `"log"`}}, []string{`doc.go:5: a library imports log`}},
	{"process", []edit{{"tensor/a.go", "", "package tensor\n\nimport (\n\tf \"fmt\"\n\t\"os\"\n)\n\nfunc a() {\n\tf.Println(os.Getenv(\"A\"))\n\tprintln(f.Sprint())\n\tos.Exit(1)\n}\n"}},
		[]string{`tensor/a.go:9: a library uses fmt.Println`, `tensor/a.go:9: a library uses os.Getenv`, `tensor/a.go:10: a library calls println`, `tensor/a.go:11: a library uses os.Exit`}},
	{"process", []edit{{"doc.go", `"errors"`, `"log/slog"`}, {"doc.go", "e.Types, ", "slog.Info(e.Name); e.Types, "}}, []string{`doc.go:28: a library uses log/slog.Info`}},
	{"process", []edit{{"internal/kerneltest/kerneltest.go", "os.Getenv", "os.LookupEnv"}}, []string{`kerneltest.go:7: a library uses os.LookupEnv`}},

	{"state", []edit{{"models/a.go", "", "package models\n\nfunc set(m int) {\n\tarchitectures[\"a\"] = nil\n\tdelete(architectures, \"a\")\n}\n"}},
		[]string{`models/a.go:4: package variable architectures is assigned in set`, `models/a.go:5: package variable architectures is changed by delete in set`}},
	{"state", []edit{{"models/a.go", "", "package models\n\nfunc local() {\n\tarchitectures := map[string]int{}\n\tarchitectures[\"a\"] = 1\n}\n"}}, nil},
	{"state", []edit{{"models/a.go", "", "package models\n\nvar count int\n\nfunc next() *int {\n\tcount++\n\tfor count = range 3 {\n\t}\n\treturn &count\n}\n"}},
		[]string{`models/a.go:6: package variable count is changed in next`, `models/a.go:7: package variable count is assigned in next`, `models/a.go:9: package variable count has its address taken in next`}},
	{"state", []edit{{"models/a.go", "", "package models\n\ntype cache struct{ n int }\n\nfunc (c *cache) add() { c.n++ }\n\nvar c cache\n\nfunc f() { c.add() }\n"}},
		[]string{`models/a.go:9: package variable c has its method add called in f`}},
	{"state", []edit{{"models/a.go", "", "package models\n\nimport (\n\t\"sync\"\n\t\"sync/atomic\"\n)\n\nvar (\n\tmu sync.Mutex\n\tp *atomic.Pointer[int]\n\tc chan int\n)\n"}},
		[]string{`models/a.go:9: package variable mu is a sync.Mutex`, `models/a.go:10: package variable p is a sync/atomic.Pointer`, `models/a.go:11: package variable c is a channel`}},
	{"state", []edit{{"models/a.go", "", "package models\n\n// Table is open.\nvar Table = []int{1}\n"}}, []string{`models/a.go:4: package variable Table is exported`}},

	{"panics", []edit{{"kernels/add/add.go", `"add.Add: empty"`, `"empty"`}}, []string{`kernels/add/add.go:7: panic text "empty"`}},
	{"panics", []edit{{"kernels/add/add.go", `"add.Add: empty"`, `fmt.Sprintf("add: %d", 1)`}}, []string{`kernels/add/add.go:7: panic text "add: %d"`}},
	{"panics", []edit{{"kernels/add/add.go", `"add.Add: empty"`, `fmt.Sprintf("add.%s: %d", "Add", 1)`}}, nil},
	{"panics", []edit{{"kernels/add/add.go", `"add.Add: empty"`, `err`}}, []string{`kernels/add/add.go:7: panic text ""`}},

	{"assembly text", []edit{{"kernels/add/add_amd64.go", "//go:noescape\nfunc addAVX2(x []float32)\n", ""}}, []string{`add_amd64.s:7: addAVX2 has no declaration in a amd64 Go file`}},
	{"assembly text", []edit{{"kernels/add/add_amd64.go", "//go:noescape\n", ""}}, []string{`add_amd64.go:11: addAVX2 is not //go:noescape`}},
	{"assembly text", []edit{{"kernels/add/add_amd64.go", "\taddAVX2(x)", ""}}, []string{`add_amd64.go:12: addAVX2 is never called`}},
	{"assembly text", []edit{{"kernels/add/add_amd64.s", "// func addAVX2(x []", "// func addAVX2(y []"}}, []string{`add_amd64.s:7: the comment above does not read "func addAVX2(x []float32)"`}},
	{"assembly text", []edit{{"kernels/add/add_amd64.s", "Requires: ", ""}}, []string{`add_amd64.s:7: the comment above addAVX2 does not say`}},
	{"assembly text", []edit{{"kernels/add/add_amd64.s", "\tJMP done\n", strings.Repeat("\tNOP\n", 100)}}, []string{`add_amd64.s:7: addAVX2 has 108 lines`}},

	{"assembly instructions", []edit{{"kernels/add/add_amd64.s", "\tVZEROUPPER\n", ""}}, []string{`add_amd64.s:14: addAVX2 uses Y or Z registers and has no VZEROUPPER before this RET`}},
	{"assembly instructions", []edit{{"kernels/add/add_amd64.s", "\tVZEROUPPER\n", ""}, {"kernels/add/add_amd64.s", "BOTH; ", ""}}, nil},
	{"assembly instructions", []edit{{"kernels/add/add_amd64.s", "\tJMP done\n", "\tJMP ·other(SB)\n"}}, []string{`add_amd64.s:10: addAVX2 uses Y or Z registers and has no VZEROUPPER before this JMP`}},
	{"assembly instructions", []edit{{"kernels/add/add_amd64.s", "\tVZEROUPPER\n", "\tVZEROUPPER\nend:\n"}}, []string{`add_amd64.s:16: addAVX2 uses Y or Z`}},
	{"assembly instructions", []edit{{"kernels/add/add_amd64.s", "VADDSS (SI), X1, X0", "VRSQRT14PS (SI), X0"}}, []string{`add_amd64.s:9: VRSQRT14PS is not`}},
	{"assembly instructions", []edit{{"kernels/add/add_amd64.h", "VPSRLD $25, Y1, Y1", "VRCPPS Y1, Y1; RET"}}, []string{`add_amd64.h:4: VRCPPS is not`, `add_amd64.h:4: macro ONE hides a return`}},
	{"assembly instructions", []edit{{"kernels/add/add_amd64.s", "VADDSS (SI), X1, X0", "BYTE $0x62 // VDPBF16PS Z0, Z1, Z2"}}, []string{`add_amd64.s:9: VDPBF16PS is not`}},

	{"assembly files", []edit{{"kernels/add/add_amd64.s", "//go:build !purego\n", ""}}, []string{`add_amd64.s:1: has no go:build line`}},
	{"assembly files", []edit{{"kernels/add/add_amd64.s", "\tJMP done\n", strings.Repeat("\n", 300)}}, []string{`add_amd64.s:1: 314 lines, want at most 300`}},
	{"assembly files", []edit{{"kernels/add/add_amd64.s", "\tJMP done\n", strings.Repeat("\n", 300)}, {"kernels/add/add_amd64.s", "//go:build", "// Code generated by x. DO NOT EDIT.\n\n//go:build"}}, nil},
	{"assembly files", []edit{{"kernels/add/a.s", "", "//go:build !purego\n"}}, []string{`a.s:1: the file's name does not end in`}},
	{"assembly files", []edit{{"kernels/add/add_noasm.go", "!amd64 || purego", "!amd64"}}, []string{`add_noasm.go:1: is not built for amd64 under purego`}},
	{"assembly files", []edit{{"kernels/add/add_noasm.go", "!amd64 || purego", "purego"}}, []string{`add_noasm.go:1: is not built for architectures without`}},
	{"assembly files", []edit{{"kernels/add/add_noasm.go", "", ""}}, []string{`add.go:1: the package has assembly and no _noasm.go`}},

	{"registration", []edit{{"kernels/add/add_amd64.go", `kernels.Register("add.Add", "AVX2", &useAVX2)`, ""}}, []string{`add_amd64.s:7: addAVX2: the package registers no AVX2 kernel`}},
	{"registration", []edit{{"kernels/add/add_amd64.go", `"AVX2", &use`, `"AVX512", &use`}},
		[]string{`add_amd64.go:9: the flag useAVX2 is not named for AVX512`, `add_amd64.s:7: addAVX2: the package registers no AVX2 kernel`}},
	{"registration", []edit{{"kernels/add/add_amd64.go", `&useAVX2`, `flag()`}}, []string{`add_amd64.go:9: want kernels.Register(`, `add_amd64.s:7: addAVX2: the package`}},
	{"registration", []edit{{"kernels/add/add_amd64.go", `func init()`, `func late()`}}, []string{`add_amd64.go:9: kernels.Register outside init`}},
	{"registration", []edit{{"kernels/add/add_test.go", `"add.Add"`, `"add.Sub"`}}, []string{`add_amd64.go:9: no kerneltest.All in the package's tests names add.Add`}},
	{"registration", []edit{{"kernels/add/add_test.go", `kerneltest.All(t, "add.Add"`, `kerneltest.Bench(t, "add.Add"`}}, []string{`add_amd64.go:9: no kerneltest.All`}},
	{"registration", []edit{{"kernels/add/add_test.go", `kerneltest.All(t, "add.Add"`, `name := "add.Add"; kerneltest.All(t, name`}}, nil},
	{"registration", []edit{{"kernels/add/add_amd64.s", "·addAVX2", "·addFast"}}, []string{`add_amd64.s:7: addFast does not end in an instruction set`}},

	{"documentation", []edit{{"doc.go", "// Open opens.\n", ""}}, []string{`doc.go:27: exported Open has no comment`}},
	{"documentation", []edit{{"doc.go", "// Open opens.\n", "// Opens.\n"}}, []string{`doc.go:28: exported Open has no comment`}},
	{"documentation", []edit{{"doc.go", "// Engine has Types.", ""}, {"doc.go", " // of the model", ""}}, []string{`doc.go:15: exported Engine has no`, `doc.go:16: exported Engine.Types has no`, `doc.go:17: exported Engine.Name has no`}},
	{"documentation", []edit{{"doc.go", "\tName  string // of the model", "\n\tName  string"}}, []string{`doc.go:18: exported Engine.Name has no`}},
	{"documentation", []edit{{"doc.go", " // never empty", ""}, {"doc.go", "A Namer names", "A Namer is"}}, []string{`doc.go:24: exported Namer.Name has no`}},
	{"documentation", []edit{{"demo/demo.go", "// Names of the models.\n", ""}}, []string{`demo.go:12: exported Fable has no`, `demo.go:13: exported Other has no`}},
	{"documentation", []edit{{"doc.go", "// Package m is", "// This is"}}, []string{`doc.go:1: package comment does not begin`}},
	{"documentation", []edit{{"doc.go", "// Package m is the product.\n", ""}}, []string{`doc.go:1: package has 0 package comments`}},
	{"documentation", []edit{{"cmd/m/main.go", "// Command m prints.\n", ""}}, []string{`cmd/m/main.go:1: package has 0 package comments`}},
	{"documentation", []edit{{"cmd/m/a.go", "", "package main\n\nfunc Exported() {}\n"}}, nil},

	{"sizes", []edit{{"doc.go", "e.Types, ", strings.Repeat("\n", 80) + "e.Types, "}}, []string{`doc.go:28: Open has 81 lines, want at most 80`}},
	{"sizes", []edit{{"doc.go", "// Open opens", strings.Repeat("\n", 473) + "// Open opens"}}, []string{`doc.go:1: 501 lines, want at most 500`}},
	{"sizes", []edit{{"doc.go", "// Open opens", strings.Repeat("func f() {"+strings.Repeat("\n", 35)+"}\n", 2) + "// Open opens"}}, []string{`go.mod:1: nine of ten functions have up to 36 lines`}},
	{"sizes", []edit{{"README.md", "", strings.Repeat("\n", 201)}}, []string{`README.md:1: 201 lines, want at most 200`}},

	{"goldens", []edit{{"models/registry.go", `"foo": nil,`, "\"foo\": nil,\n\t\"bar\": nil,"}}, []string{`models/registry.go:6: no directory of models/testdata/golden holds a config.json with model_type "bar"`}},
	{"goldens", []edit{{"models/testdata/golden/foo/want.safetensors", "", ""}}, []string{`config.json:1: no want.safetensors`, `models/registry.go:5: no directory`}},
	{"goldens", []edit{{"models/testdata/golden/foo/config.json", "", ""}}, []string{`models/registry.go:5: no directory`}},
	{"goldens", []edit{{"models/registry.go", "var architectures", "var list"}}, []string{`models:1: no map literal named architectures`}},
	{"goldens", []edit{{"models/testdata/golden/foo/config.json", "}", ""}}, []string{`foo/config.json:1: unexpected end of JSON`, `models/registry.go:5: no directory`}},

	{"tracked files", []edit{{"m", "", "program"}}, []string{`m:1: .gitignore names it`}},
	{"tracked files", []edit{{"bench/cpu.prof", "", "profile"}}, []string{`bench/cpu.prof:1: .gitignore names it`}},
	{"tracked files", []edit{{"bin/tool", "", "\x7fELF"}}, []string{`bin/tool:1: is a compiled program`}},
	{"tracked files", []edit{{"bench/big", "", strings.Repeat("x", maxFileBytes+1)}}, []string{`bench/big:1: 1048577 bytes`}},
	{"tracked files", []edit{{"models/testdata/big", "", strings.Repeat("x", maxModuleBytes+1)}}, nil},
	{"tracked files", []edit{{"demo/big", "", strings.Repeat("x", maxModuleBytes)}}, []string{`go.mod:1: the module weighs`}},
	{"tracked files", []edit{{".gitignore", "/m", "/a/b"}}, []string{`.gitignore:1: pattern "/a/b"`}},

	{"comments", []edit{{"tensor/pool.go", "when one", "if one"}}, []string{`tensor/pool.go:6: want "TODO: `}},
	{"comments", []edit{{"kernels/add/add_amd64.s", "\tJMP done", "\tJMP done // TODO: faster"}}, []string{`add_amd64.s:10: want "TODO: `}},
	{"comments", []edit{{"tensor/pool.go", "TODO: reuse goroutines when", "==== Pool ===== when"}}, []string{`tensor/pool.go:6: banner`}},
	{"comments", []edit{{"tensor/pool.go", "\tgo f()", "\t// x := f\n\t// x()\n\n\tgo f()"}}, []string{`tensor/pool.go:7: code that is commented out`}},
	{"comments", []edit{{"tensor/pool.go", "\tgo f()", "\tgo f()\n\n\t// if done {\n\t// return\n\t// }"}}, []string{`tensor/pool.go:9: code that is commented out`}},
	{"comments", []edit{{"tensor/pool.go", "// Run runs f.", "// Run runs f:\n//\n//\tx := f()\n//\n// y = f(x)"}}, nil},
}

// apply makes the edits on the good tree and encodes the index of the result. A file whose text
// becomes empty is removed.
func apply(t *testing.T, edits []edit) fstest.MapFS {
	tree := files(good)
	for _, e := range edits {
		text := e.text
		if e.old != "" {
			before := string(tree[e.path].Data)
			if !strings.Contains(before, e.old) {
				t.Fatalf("%s does not contain %q", e.path, e.old)
			}
			text = strings.Replace(before, e.old, e.text, 1)
		}
		tree[e.path] = &fstest.MapFile{Data: []byte(text)}
		if text == "" {
			delete(tree, e.path)
		}
	}
	tree[".git/index"] = &fstest.MapFile{Data: index(2, slices.Sorted(maps.Keys(tree)))}
	return tree
}

// find runs the law of a name on a tree.
func find(t *testing.T, law string, tree fs.FS) []string {
	r, err := Load(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range Laws() {
		if l.Name == law {
			found := l.Check(r)
			slices.Sort(found)
			return found
		}
	}
	t.Fatalf("no law named %q", law)
	return nil
}

// TestBreaches shows that every law finds what breaks it, each breach once and nothing else.
func TestBreaches(t *testing.T) {
	caught := make(map[string]bool)
	for i, b := range breaches {
		t.Run(fmt.Sprintf("%s/%d", b.law, i), func(t *testing.T) {
			found := find(t, b.law, apply(t, b.edits))
			if len(found) != len(b.want) {
				t.Errorf("%d findings, want %d", len(found), len(b.want))
			}
			for _, want := range b.want {
				caught[b.law] = true
				if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, want) }) {
					t.Errorf("nothing found reads %q", want)
				}
			}
			if t.Failed() {
				t.Log(strings.Join(found, "\n"))
			}
		})
	}
	for _, law := range Laws() {
		if !caught[law.Name] {
			t.Errorf("no breach of %q is tried", law.Name)
		}
		if found := find(t, law.Name, apply(t, nil)); len(found) > 0 {
			t.Errorf("%s: the good tree breaks it: %q", law.Name, found)
		}
	}
}

func TestLookingUp(t *testing.T) {
	if found := lookingUp(rooms); len(found) > 0 {
		t.Error(found)
	}
	upside := map[string]room{"a": {floor: 1, sees: []string{"b", "c"}}, "b": {floor: 1}}
	if found := lookingUp(upside); len(found) != 2 {
		t.Errorf("found %q, want a→b on one floor and a→c without a room", found)
	}
}
