package main

import (
	"bytes"
	"cmp"
	"os"
	"strings"
	"testing"
)

const (
	results = "../results/epyc-zen3-2cpu/"
	nine    = "llama-135m,mamba2-130m,granite-h-350m,rwkv7-0.4b,falcon-h1-0.5b,qwen3-0.6b,gdn-0.8b,mamba2-1.3b,qwen3-1.7b"
	three   = "mamba2-130m,falcon-h1-0.5b,qwen3-0.6b"
)

// The tables of SPEED.md are of the committed results.
func TestTables(t *testing.T) {
	text, err := os.ReadFile("../SPEED.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []table{
		{peer: "llama.cpp", models: list(nine), quants: list("bf16,q8_0,q4_0"), tests: list("pp512,tg64")},
		{peer: "llama.cpp", models: list(nine), quants: list("q6_k,q4_k_m,iq4_nl"), tests: list("pp512,tg64")},
		{peer: "llama.cpp", models: list(nine), quants: list("f32"), tests: list("pp512,tg64")},
		{peer: "openvino", tests: list("pp512")},
		{peer: "llama.cpp", threads: 1, models: list(three), quants: list("q8_0"), tests: list("pp512,tg64")},
		{peer: "llama.cpp", models: list(three), quants: list("q8_0"), tests: list("tg64@4096")},
	} {
		table.threads = cmp.Or(table.threads, 2)
		var b bytes.Buffer
		if err := run(&b, table, []string{results + "llama.cpp.jsonl"}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if strings.HasPrefix(line, "| model") { // may call a column by the peer's name too
				continue
			}
			if !bytes.Contains(text, []byte(line)) {
				t.Errorf("SPEED.md lacks what its results give: %s", line)
			}
		}
	}
}

func TestRatios(t *testing.T) {
	rows, runs, err := read(strings.NewReader(`{"header":{"time":"first"}}
{"engine":"ours","model":"a","quant":"q8_0","threads":2,"test":"pp512","round":0,"tok_s":300}
{"engine":"llama.cpp","model":"a","quant":"q8_0","threads":2,"test":"pp512","round":0,"tok_s":200}
{"engine":"openvino","model":"a","quant":"q8_0","threads":2,"test":"pp512","round":0,"tok_s":100}
{"engine":"ours","model":"a","quant":"q8_0","threads":1,"test":"pp512","round":0,"tok_s":1}
{"engine":"llama.cpp","model":"a","quant":"q8_0","threads":1,"test":"pp512","round":0,"tok_s":100}
{"engine":"ours","model":"a","quant":"q8_0","threads":2,"test":"pp512","round":1,"tok_s":900,"foreign":0.2}
{"engine":"llama.cpp","model":"a","quant":"q8_0","threads":2,"test":"pp512","round":1,"tok_s":100}
{"engine":"ours","model":"a","quant":"q8_0","threads":2,"test":"pp512","round":2,"tok_s":320,"foreign":0.1}
{"engine":"header is no key here","model":"a","quant":"q8_0","threads":2,"test":"pp512","round":2,"tok_s":1}
{"header":{"time":"second"}}
{"engine":"llama.cpp","model":"a","quant":"q8_0","threads":2,"test":"pp512","round":2,"tok_s":100}
{"engine":"llama.cpp","model":"a","quant":"q8_0","threads":2,"test":"tg64","round":0,"tok_s":10}
{"engine":"ours","model":"a","quant":"q8_0","threads":2,"test":"tg64","round":0,"tok_s":12.34}
{"engine":"ours","model":"a","quant":"q8_0","threads":2,"test":"pp512","round":0,"tok_s":100}
{"engine":"llama.cpp","model":"a","quant":"q8_0","threads":2,"test":"pp512","round":0,"tok_s":50}
`), 0)
	if err != nil || runs != 3 {
		t.Fatal(runs, err)
	}
	var b strings.Builder
	if err := (table{peer: "llama.cpp", threads: 2, tests: list("pp512,tg64")}).print(&b, rows); err != nil {
		t.Fatal(err)
	}
	const want = `| model | test | q8_0 |
|---|---|---|
| a | pp512 | 200 : 125, **1.75** (1.50-2.00) |
| a | tg64 | 12.3 : 10.0, **1.23** (1.23-1.23) |

Rounds: 1-2. Least / median / largest median ratio: prefill 1.75 / 1.75 / 1.75, decode 1.23 / 1.23 / 1.23
`
	if b.String() != want {
		t.Errorf("found\n%s\nexpected\n%s", b.String(), want)
	}
}

func TestMalformed(t *testing.T) {
	for text, want := range map[string]string{
		"{\"header\":{}}\nno JSON":                            "line 2: ",
		`{"engine":"ours","tok_s":0}`:                         "line 1: found tok_s 0, expected a number above 0",
		`{"engine":"ours","tok_s":"fast"}`:                    "line 1: ",
		`{"engine":"ours"}`:                                   "line 1: found tok_s 0, expected a number above 0",
		`{"header":{}}` + strings.Repeat(" ", 1<<16) + "\n{}": "line 1: ",
	} {
		if _, _, err := read(strings.NewReader(text), 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: found %v, expected an error with %q", text, err, want)
		}
	}
	var b strings.Builder
	if err := (table{peer: "llama.cpp", threads: 2, tests: list("pp512")}).print(&b, nil); err == nil {
		t.Error("nothing measured: found no error")
	}
	if err := run(&b, table{}, nil); err == nil {
		t.Error("no file: found no error")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"header":{}}` + "\n" + `{"engine":"ours","model":"a","quant":"q8_0","threads":2,"test":"pp512","round":0,"tok_s":300}`)
	f.Fuzz(func(t *testing.T, text string) {
		rows, _, err := read(strings.NewReader(text), 0)
		if err == nil {
			_ = table{peer: "llama.cpp", threads: 2, tests: []string{"pp512"}}.print(new(strings.Builder), rows)
		}
	})
}
