package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mminfer/mminfer/kernels"
)

var update = flag.Bool("update", false, "write the golden output in testdata")

// cli runs the program in this process.
func cli(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &errs, nil)
	return code, out.String(), errs.String()
}

// must runs the program and fails the test unless it succeeds in silence on standard error.
func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	code, out, errs := cli(t, stdin, args...)
	if code != exitOK || errs != "" {
		t.Fatalf("mminfer %s: exit code %d, %s", strings.Join(args, " "), code, errs)
	}
	return out
}

// The output of every command that says the same on every machine.
func TestOutput(t *testing.T) {
	t.Chdir("../..")
	held, err := os.ReadFile("demo/fable/held.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, stdin string
		args        []string
	}{
		{"generate", "", []string{"generate", "Once upon", "a time", "-n", "30", "--seed", "1"}},
		{"generate_greedy", "Once upon a time\n", []string{"generate", "-n", "12", "--greedy", "--quant", "f32", "-t", "1"}},
		{"generate_options", "", []string{"generate", "The old king", "-n", "40", "--seed", "5", "--temperature", "1.2", "--top-k", "100", "--top-p", "0.9",
			"--min-p", "0.01", "--repeat-penalty", "1.3", "--frequency-penalty", "0.1", "--presence-penalty", "0.1", "--penalty-last", "32",
			"--logit-bias", "14=-inf", "--logit-bias", "16=2", "--stop", " tree"}},
		{"chat", "Once upon a time\n/undo\nThe king\n\n/fork\nThe dragon\n/back\n/reset\n//a b\n", []string{"chat", "-n", "10", "--seed", "1"}},
		{"inspect", "", []string{"inspect"}},
		{"inspect_reader", "", []string{"inspect", "reader"}},
		{"inspect_tensors", "", []string{"inspect", "models/testdata/golden/mom_fla_hybrid", "--tensors"}},
		{"verify", "", []string{"verify", "demo/fable", "-t", "1"}},
		{"verify_reader", "", []string{"verify", "-q", "demo/reader"}},
		{"verify_quiet", "", []string{"verify", "-q", "models/testdata/golden/mom_fla", "--batch", "--split", "3"}},
		{"verify_tokens", "", []string{"verify", "tokenizer/testdata/golden/clip", "tokenizer/testdata/golden/sp_unigram_t5"}},
		{"verify_pictures", "", []string{"verify", "vision/testdata/golden"}},
		{"perplexity", string(held), []string{"perplexity", "-n", "40"}},
		{"perplexity_windows", string(held), []string{"perplexity", "-n", "40", "--context", "16", "--stride", "8"}},
		{"kld", string(held), []string{"kld", "f32", "q8", "-n", "40", "-c", "16"}},
		{"samples", "", []string{"generate", "The fox", "-n", "8", "--samples", "3", "--seed", "2", "--order", "llama.cpp", "--typical", "0.9"}},
		{"help", "", []string{"--help"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := must(t, c.stdin, c.args...)
			path := filepath.Join("cmd/mminfer/testdata", c.name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("found\n%s\nexpected\n%s", got, want)
			}
		})
	}
}

// Wrong usage is told before anything is loaded, with what is allowed and where help is.
func TestUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"genrate", "Did you mean this?\n\tgenerate"},
		{"--nonsense", "unknown flag: --nonsense"},
		{"generate x --nonsense", "'mminfer generate --help'"},
		{"generate x --quant q9", "expected auto, f32, bf16, f16, bf16-dot, q8, q6, q5, q4, q4l"},
		{"generate x -t 0", "expected a whole number from 1 to 1024"},
		{"generate x -n -1", "expected a whole number of at least 0"},
		{"generate x --temperature NaN", "expected a number of at least 0"},
		{"generate x --frequency-penalty y", "expected a number"},
		{"generate x --top-p 1.5", "expected a number from 0 to 1"},
		{"generate x --logit-bias 5", "expected ID=BIAS"},
		{"generate x --logit-bias 5=NaN", "expected ID=BIAS"},
		{"generate x --greedy --temperature 1", "[greedy temperature]"},
		{"generate x --logprobs 2", "--logprobs needs --json"},
		{"generate x -f y", "exclude each other"},
		{"generate", "the text is empty"},
		{"generate -m ../../models/testdata/golden/mom_fla x --top-k 3", "--top-k has no effect"},
		{"generate x --order beam", "expected transformers, llama.cpp, mamba"},
		{"generate x --samples 0", "expected a whole number from 1 to 1024"},
		{"generate x --samples 2 --save y", "[samples save]"},
		{"kld f32", "accepts 2 arg(s)"},
		{"kld f32 q9", "q9: neither a directory nor a weight format"},
		{"perplexity --stride 4", "--stride needs --context"},
		{"perplexity --context 4 --stride 5", "tokens between would be left out"},
		{"perplexity --context 1", "a window needs 2 tokens"},
		{"chat x", "unknown command"},
		{"verify", "requires at least 1 arg"},
		{"inspect a b", "accepts at most 1 arg"},
		{"bench --tests pp", "expected ppN or tgN"},
		{"bench --tests pp512,512", "expected ppN or tgN"},
		{"bench --tests tg0", "expected ppN or tgN"},
		{"bench -o xml", "expected md, csv, json, jsonl"},
		{"bench -t 1,x", "expected a whole number from 1 to 1024"},
		{"bench --json -o md", "[json output]"},
		{"synth --size 130m -o x", "[arch config]"},
		{"synth --arch gla --size 130m --type q8 -o x", "expected bf16, f16 or f32"},
	} {
		code, out, errs := cli(t, "", strings.Fields(c.args)...)
		if code != exitUsage || out != "" || !strings.HasPrefix(errs, "mminfer: ") || !strings.Contains(errs, c.want) || !strings.Contains(errs, "--help' for usage") {
			t.Errorf("mminfer %s: exit code %d, output %q, message %q; expected %q", c.args, code, out, errs, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"generate", "x", "-m", dir + "/none"}, "no such file"},
		{[]string{"generate", "-f", dir + "/none"}, "no such file"},
		{[]string{"generate", "x", "--load", dir + "/none"}, "no such file"},
		{[]string{"generate", "x", "--save", dir + "/none/file"}, "--save: "},
		{[]string{"generate", "x", "--save", dir}, "is a directory"},
		{[]string{"generate", "x", "--logit-bias", "5000=1"}, "logit bias of token 5000"},
		{[]string{"generate", "x", "-m", "../../models/testdata/golden/mom_fla"}, "no tokenizer"},
		{[]string{"inspect", dir}, "model.safetensors"},
		{[]string{"verify", dir}, "neither it nor a directory in it holds a verify.json"},
		{[]string{"perplexity", "-n", "1"}, "at least 2 are needed"},
		{[]string{"bench", "-m", dir}, "model.safetensors"},
	} {
		code, out, errs := cli(t, "a text", c.args...)
		if code != exitError || out != "" || !strings.HasPrefix(errs, "mminfer: ") || !strings.Contains(errs, c.want) {
			t.Errorf("mminfer %s: exit code %d, output %q, message %q; expected %q", strings.Join(c.args, " "), code, out, errs, c.want)
		}
	}
}

// failing is a writer that fails.
type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }

// An output that cannot be written is an error; one that nobody reads is no news.
func TestOutputFails(t *testing.T) {
	for _, args := range [][]string{{"generate", "Once", "-n", "3"}, {"inspect"}, {"version", "--json"}, {"--help"}, {"verify", goldens + "/mom_fla/topk_all"}, {"chat"}} {
		var errs bytes.Buffer
		code := run(t.Context(), args, strings.NewReader("Once\n"), failing{errors.New("disk full")}, &errs, nil)
		if code != exitError || errs.String() != "mminfer: disk full\n" {
			t.Errorf("%v: exit code %d and %q", args, code, errs.String())
		}
		errs.Reset()
		code = run(t.Context(), args, strings.NewReader("Once\n/quit\n"), failing{syscall.EPIPE}, &errs, nil)
		if code != exitError || errs.Len() > 0 {
			t.Errorf("%v into a closed pipe: exit code %d and %q", args, code, errs.String())
		}
	}
}

// Every --json is one JSON value with the keys that scripts rely on.
func TestJSON(t *testing.T) {
	for _, c := range []struct {
		args string
		keys string
	}{
		{"generate Once -n 4 --json --logprobs 2", "ids logprobs model order prompt prompt_ids seed stop text timings top_logprobs"},
		{"generate Once -n 4 --json", "ids model order prompt prompt_ids seed stop text timings"},
		{"inspect --json", "bytes bytes_by_type bytes_per_token layers model parameters state_bytes tensor_count type vocab width"},
		{"inspect --json --tensors", "bytes bytes_by_type bytes_per_token layers model parameters state_bytes tensor_count tensors type vocab width"},
		{"doctor --quick --json", "build cpu kernels memory notes"},
		{"perplexity --json", "context mean_nll model perplexity predicted quant seconds stride tokens"},
		{"kld f32 q8 --json", "a b max_kld mean_kld mean_kld_error median_kld p99_kld perplexity_a perplexity_b predicted rms_dp_top1 seconds tokens top1_same"},
		{"generate Once -n 4 --samples 2 --json", "model order prompt prompt_ids samples"},
		{"bench --tests tg2 --reps 1 --json --no-limits", "bytes_per_token cpu_s isa model params quant reps sessions size_bytes state_bytes test threads tok_s tok_s_sd type"},
	} {
		var got map[string]any
		if err := json.Unmarshal([]byte(must(t, "Once upon a time", strings.Fields(c.args)...)), &got); err != nil {
			t.Errorf("%s: %v", c.args, err)
		}
		keys := strings.Join(slices.Sorted(maps.Keys(got)), " ")
		if keys = strings.Replace(keys, "cpu_s ", "", 1); keys != strings.Replace(c.keys, "cpu_s ", "", 1) {
			t.Errorf("%s: keys %s, expected %s", c.args, keys, c.keys)
		}
	}
}

func TestGenerateJSON(t *testing.T) {
	var g generated
	out := must(t, "", "generate", "Once upon a time", "-n", "5", "--greedy", "--json", "--logprobs", "3", "--seed", "7")
	if err := json.Unmarshal([]byte(out), &g); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.PromptIDs, []int32{2307, 571, 261, 533}) || !slices.Equal(g.IDs, []int32{14, 442, 309, 261, 466}) {
		t.Errorf("ids %v after %v", g.IDs, g.PromptIDs)
	}
	if g.Prompt != "Once upon a time" || g.Text != ", there was a little" || g.Stop != "length" || g.Model != "fable" || *g.Seed != 7 {
		t.Errorf("found %+v", g)
	}
	if g.Timings.PromptTokens != 4 || g.Timings.Tokens != 5 || g.Timings.Load <= 0 || g.Timings.PromptRate <= 0 || g.Timings.GenerationRate <= 0 {
		t.Errorf("timings %+v", g.Timings)
	}
	for i, top := range g.Top {
		if len(top) != 3 || top[0].ID != g.IDs[i] || top[0].LogProb != g.LogProbs[i] || top[1].LogProb > top[0].LogProb {
			t.Errorf("token %d: %d with %v among %+v", i, g.IDs[i], g.LogProbs[i], top)
		}
	}
}

// Without --seed every run has another; -v tells which.
func TestSeed(t *testing.T) {
	_, first, errs := cli(t, "", "generate", "Once", "-n", "30", "-v")
	line, _, _ := strings.Cut(errs, "\n")
	seed, ok := strings.CutPrefix(line, "seed: ")
	if !ok || !strings.Contains(errs, "tok/s") {
		t.Fatalf("-v wrote %q", errs)
	}
	if again := must(t, "", "generate", "Once", "-n", "30", "--seed", seed); again != first {
		t.Errorf("seed %s gave %q, then %q", seed, first, again)
	}
	if other := must(t, "", "generate", "Once", "-n", "30"); other == first {
		t.Errorf("two random seeds gave the same text")
	}
}

func TestCPU(t *testing.T) {
	defer kernels.Limit("AVX512BF16") // everything that is supported
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"version"}, nil, &out, &errs, []string{"MMINFER_CPU=portable"}); code != exitOK || !strings.HasSuffix(out.String(), ", portable\n") {
		t.Errorf("exit code %d: %s%s", code, out.String(), errs.String())
	}
	if code := run(t.Context(), []string{"version"}, nil, &out, &errs, []string{"MMINFER_CPU=MMX"}); code != exitUsage || !strings.Contains(errs.String(), "AVX512BF16") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"version", "--version"} {
		if out := must(t, "", arg); !strings.HasPrefix(out, "mminfer ") || !strings.Contains(out, "\ngo1.") || strings.Count(out, "\n") != 2 {
			t.Errorf("%s says %q", arg, out)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out := must(t, "", "completion", shell); !strings.Contains(out, "mminfer") {
			t.Errorf("%s: %d bytes", shell, len(out))
		}
	}
	if _, out, _ := cli(t, "", "__complete", "generate", "--quant", ""); !strings.HasPrefix(out, "auto\nf32\nbf16\nf16\nbf16-dot\nq8\nq6\nq5\nq4\nq4l\n") {
		t.Errorf("completion of --quant: %q", out)
	}
}
