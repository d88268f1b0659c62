package mminfer_test

import (
	"bytes"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/demo"
	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tensor"
)

// edited returns the demo model's directory with a text replaced in one of its files; replacing
// everything ("") by nothing takes the file away.
func edited(t testing.TB, name, old, new string) fs.FS {
	t.Helper()
	dir := fstest.MapFS{}
	entries, err := demo.FS.ReadDir(demo.Fable)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := demo.FS.ReadFile(path.Join(demo.Fable, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		dir[e.Name()] = &fstest.MapFile{Data: data}
	}
	switch {
	case old == "" && new == "":
		delete(dir, name)
	case old == "":
		dir[name] = &fstest.MapFile{Data: []byte(new)}
	default:
		if !bytes.Contains(dir[name].Data, []byte(old)) {
			t.Fatalf("%s does not hold %q", name, old)
		}
		dir[name] = &fstest.MapFile{Data: bytes.ReplaceAll(dir[name].Data, []byte(old), []byte(new))}
	}
	return dir
}

// TestOpenRefuses names the file that is wrong, and leaves no goroutine behind.
func TestOpenRefuses(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, c := range []struct{ file, old, new, want string }{
		{"config.json", "", "", "config.json is missing"},
		{"config.json", "", "{", "config.json: "},
		{"config.json", `"mom"`, `"mamba9"`, `model_type "mamba9" is not supported`},
		{"config.json", `"num_heads": 4`, `"num_heads": 5`, "model.layers.0.attn.q_proj.weight: shape [128 256], want [160 256]"},
		{"config.json", `"eos_token_id": 0`, `"eos_token_id": "0"`, "config.json: "},
		{"generation_config.json", "", "[]", "generation_config.json: "},
		{"generation_config.json", `"eos_token_id": 0`, `"eos_token_id": [0, "x"]`, "generation_config.json: "},
		{"generation_config.json", `"top_k": 40`, `"top_k": 40.5`, "generation_config.json: "},
		{"tokenizer.json", "", "{}", "tokenizer"},
		{"tokenizer.json", `"id": 2`, `"id": 4096`, "tokenizer"},
		{"model.safetensors", "", "", "weights"},
		{"model.safetensors", "", "short", "model.safetensors"},
	} {
		_, err := mminfer.OpenFS(edited(t, c.file, c.old, c.new), ".", mminfer.WithThreads(3))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %q: %v, want %q", c.file, c.new, err, c.want)
		}
	}
	if _, err := mminfer.Open(t.TempDir()); err == nil {
		t.Error("an empty directory was opened")
	}
	if _, err := mminfer.Open("never there"); err == nil {
		t.Error("a directory that is not there was opened")
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

// TestTokenizerLarger than the model: an id without an embedding must not come to be.
func TestTokenizerLarger(t *testing.T) {
	ck := openGolden(t, noTokenizer)
	if ck.Info().Vocab != 89 {
		t.Fatal("the golden has changed")
	}
	dir := fstest.MapFS{}
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(path.Join(noTokenizer, name))
		if err != nil {
			t.Fatal(err)
		}
		dir[name] = &fstest.MapFile{Data: data}
	}
	data, err := demo.FS.ReadFile("fable/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	dir["tokenizer.json"] = &fstest.MapFile{Data: data}
	if _, err := mminfer.OpenFS(dir, "."); err == nil || !strings.Contains(err.Error(), "ids up to 4095, but the model has 89 tokens") {
		t.Errorf("found %v", err)
	}
}

// TestDefaults reads generation_config.json.
func TestDefaults(t *testing.T) {
	got := fable(t).Defaults()
	if got.MaxTokens != 200 || got.Sampling.Temperature != 0.7 || got.Sampling.TopK != 40 || got.Sampling.TopP != 0.95 || got.Sampling.MinP != 0 || got.IgnoreEOS {
		t.Errorf("%+v", got)
	}
	for _, c := range []struct {
		config string
		want   mminfer.Sampling
		eos    []int32 // ids that end a text
	}{
		{"", mminfer.Sampling{}, []int32{0}}, // from config.json
		{"{}", mminfer.Sampling{}, []int32{0}},
		{`{"eos_token_id": [7, 9]}`, mminfer.Sampling{}, []int32{7, 9}},
		{`{"eos_token_id": null, "temperature": 0.5, "repetition_penalty": 1.25}`, mminfer.Sampling{RepetitionPenalty: 1.25}, []int32{0}},
		{`{"do_sample": true}`, mminfer.Sampling{Temperature: 1}, []int32{0}},
		{`{"do_sample": true, "temperature": 0.5, "top_k": 3, "top_p": 0.25, "min_p": 0.125, "eos_token_id": 5}`, mminfer.Sampling{Temperature: 0.5, TopK: 3, TopP: 0.25, MinP: 0.125}, []int32{5}},
	} {
		e, err := mminfer.OpenFS(edited(t, "generation_config.json", "", c.config), ".", mminfer.WithThreads(1))
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		got := e.Defaults().Sampling
		if got.LogitBias = nil; got.Temperature != c.want.Temperature || got.TopK != c.want.TopK || got.TopP != c.want.TopP || got.MinP != c.want.MinP || got.RepetitionPenalty != c.want.RepetitionPenalty {
			t.Errorf("%s: %+v, want %+v", c.config, got, c.want)
		}
		for _, id := range []int32{0, 2, 5, 7, 8, 9} {
			opts := mminfer.GenerateOptions{MaxTokens: 1, Sampling: mminfer.Sampling{LogitBias: map[int32]float64{id: 1e6}}}
			tokens := collect(t, e.NewSession().Generate(t.Context(), "The wolf", opts))
			if ends := tokens[0].Stop == mminfer.StopEOS; ends != slices.Contains(c.eos, id) {
				t.Errorf("%s: token %d ends the text: %v", c.config, id, ends)
			}
		}
	}
}

// TestInfo describes the demo model.
func TestInfo(t *testing.T) {
	got := fable(t).Info()
	if got.Type != "mom" || got.Layers != 6 || got.Width != 256 || got.Vocab != 4096 || got.Parameters != 6_044_144 || got.Threads != 2 || got.Format != "auto" {
		t.Errorf("%+v", got)
	}
	if got.WeightBytes < 12_000_000 || got.WeightBytes > 18_000_000 {
		t.Errorf("%d bytes of weights", got.WeightBytes)
	}
	hybrid := openGolden(t, noTokenizer, mminfer.WithFormat(tensor.FormatQ8), mminfer.WithThreads(0))
	if i := hybrid.Info(); i.BytesPerToken != 4*2*(16+16) || i.Threads != 1 || i.Format != "q8" {
		t.Errorf("%+v", i)
	}
}

// TestOptions: a logger hears of the model and never of a text; progress is told.
func TestOptions(t *testing.T) {
	var log bytes.Buffer
	calls := 0
	e, err := mminfer.OpenFS(demo.FS, demo.Fable, mminfer.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		mminfer.WithLogger(nil), mminfer.WithProgress(func(done, total int64) { calls++ }))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	collect(t, e.NewSession().Generate(t.Context(), "The secret word", mminfer.GenerateOptions{MaxTokens: 2}))
	if got := log.String(); !strings.Contains(got, "type=mom") || !strings.Contains(got, "parameters=6044144") || strings.Contains(got, "secret") {
		t.Errorf("the log is %q", got)
	}
	if calls == 0 {
		t.Error("no progress was told")
	}
	if n := e.Info().Threads; n != runtime.GOMAXPROCS(0) {
		t.Errorf("%d threads", n)
	}
}

// TestTokenize: control tokens are text unless they are asked for.
func TestTokenize(t *testing.T) {
	e := fable(t)
	const text = "The wolf<|endoftext|>"
	special, err := e.Tokenize(text, true)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := e.Tokenize(text, false)
	if err != nil {
		t.Fatal(err)
	}
	if special[len(special)-1] != 0 || slices.Contains(plain, 0) {
		t.Errorf("%v with control tokens, %v without", special, plain)
	}
	if got, err := e.Detokenize(special); err != nil || got != "The wolf" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := e.Detokenize(plain); err != nil || got != text {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := e.Detokenize([]int32{4096}); err == nil {
		t.Error("an id that does not exist has a text")
	}
}

// TestEmbed compares with the reference's last hidden state after the final norm.
func TestEmbed(t *testing.T) {
	e := fable(t)
	suite, err := golden.Open("demo/fable")
	if err != nil {
		t.Fatal(err)
	}
	defer suite.Close()
	want, err := loader.OpenFile("demo/fable/want.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	for i, c := range suite.Cases {
		got, err := e.Embed(t.Context(), tales(t)[i].Prompt)
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(c.Want, func(w golden.Want) bool { return w.Of == "norm" })
		norm, ok := want.Tensor(c.Want[at].Tensor)
		if !ok || norm.Elements() != len(got) {
			t.Fatalf("%d numbers, want those of %v", len(got), norm)
		}
		v := make([]float32, len(got))
		norm.Floats(v, 0)
		for j := range v {
			if !(math.Abs(float64(got[j])-float64(v[j])) <= c.Want[at].Bound) {
				t.Fatalf("%s: [%d] = %v, want %v ± %.2g", c.Name, j, got[j], v[j], c.Want[at].Bound)
			}
		}
	}
}
