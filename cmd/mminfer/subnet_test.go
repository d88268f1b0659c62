package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/internal/synth"
	"github.com/mminfer/mminfer/tensor"
)

const heldText = "../../demo/fable/held.txt"

// tinyLlama writes a LLaMA of random weights with fable's tokenizer.
func tinyLlama(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const config = `{"model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 5, "num_attention_heads": 4,
		"num_key_value_heads": 2, "vocab_size": 4096, "max_position_embeddings": 512, "tie_word_embeddings": true, "rms_norm_eps": 1e-5}`
	if err := synth.Write(t.Context(), dir, []byte(config), synth.Options{Type: tensor.BF16}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		data, err := os.ReadFile("../../demo/fable/" + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// selectTiny are the arguments of a small selection.
func selectTiny(model, out string, more ...string) []string {
	return append([]string{"subnet", "select", "-m", model, "--text", heldText, "--window", "32", "--depth-windows", "2", "--width-windows", "6",
		"--min-layers", "3", "--widths", "1,3/4,1/2", "-o", out}, more...)
}

// tinyStrategy selects the subnets of a tiny model.
func tinyStrategy(t *testing.T) (model, strategy string) {
	t.Helper()
	model, strategy = tinyLlama(t), filepath.Join(t.TempDir(), "strategy")
	out := must(t, "", selectTiny(model, strategy)...)
	for _, want := range []string{"layers  nll", "\n4       ", "\n3       ", "width 0.5 "} {
		if !strings.Contains(out, want) {
			t.Fatalf("%s does not hold %q", out, want)
		}
	}
	return model, strategy
}

// An interrupted selection goes on where it was, in the depths as in the widths, and ends with the same files.
func TestSelectResumes(t *testing.T) {
	model, whole := tinyStrategy(t)
	same := func(dir string) {
		t.Helper()
		for _, name := range []string{"strategy.json", "dp_selection_strategy.npy", selectionName, fluctuationsName} {
			got, err := os.ReadFile(filepath.Join(dir, name))
			want, err2 := os.ReadFile(filepath.Join(whole, name))
			if err != nil || err2 != nil || string(got) != string(want) {
				t.Errorf("%s: %v, %v, %d bytes, expected the %d of a selection that was not interrupted", name, err, err2, len(got), len(want))
			}
		}
	}
	for _, bytes := range []int{1, 60} { // of -v: after the first cell, and after a few
		dir := filepath.Join(t.TempDir(), "part")
		ctx, cancel := context.WithCancel(t.Context())
		errs := &watched{n: bytes, then: cancel}
		code := run(ctx, selectTiny(model, dir, "-v"), nil, io.Discard, errs, nil)
		if code != exitInterrupted || !strings.Contains(errs.String(), "go on with --resume") {
			t.Fatalf("exit code %d, %s", code, errs)
		}
		if _, err := os.Stat(filepath.Join(dir, "strategy.json")); err == nil {
			t.Error("an interrupted selection left a strategy")
		}
		var file selectionFile
		data, err := os.ReadFile(filepath.Join(dir, selectionName))
		if err != nil || json.Unmarshal(data, &file) != nil || len(file.Cells) == 0 {
			t.Errorf("after %d bytes: %v, %s", bytes, err, data)
		}
		if code, _, errs := cli(t, "", selectTiny(model, dir)...); code != exitError || !strings.Contains(errs, "go on with it by --resume") {
			t.Errorf("a second selection: exit code %d, %s", code, errs)
		}
		must(t, "", selectTiny(model, dir, "--resume")...)
		same(dir)
	}
	dir := filepath.Join(t.TempDir(), "few")
	if code, _, errs := cli(t, "", selectTiny(model, whole, "--resume", "--metric", "perplexity")...); code != exitError || !strings.Contains(errs, "choose another directory") {
		t.Errorf("another metric: exit code %d, %s", code, errs)
	}
	must(t, "", selectTiny(model, dir, "--width-windows", "3")...)
	must(t, "", selectTiny(model, dir, "--resume")...)
	same(dir)
}

// A shape that was written has the logits of the shape, padded or not.
func TestExportIsShape(t *testing.T) {
	model, strategy := tinyStrategy(t)
	const shape = "4x0.75"
	want := logitsOf(t, model, mminfer.WithStrategy(strategy), mminfer.WithShape(shape))
	text := must(t, "", "generate", "-m", model, "--strategy", strategy, "--shape", shape, "--greedy", "-n", "12", "Once upon a time")
	for _, more := range [][]string{nil, {"--compact"}} {
		dir := filepath.Join(t.TempDir(), "out")
		out := must(t, "", append([]string{"subnet", "export", "-m", model, "--strategy", strategy, "--shape", shape, "-o", dir}, more...)...)
		if !strings.HasPrefix(out, dir+": ") || strings.Contains(out, "only mminfer") != (more != nil) {
			t.Errorf("found %q", out)
		}
		if got := logitsOf(t, dir); !slices.Equal(got, want) {
			t.Errorf("%v: other logits than the shape's", more)
		}
		if got := must(t, "", "generate", "-m", dir, "--greedy", "-n", "12", "Once upon a time"); got != text {
			t.Errorf("%v: %q, expected %q", more, got, text)
		}
	}
}

func logitsOf(t *testing.T, dir string, opts ...mminfer.Option) (all []float32) {
	t.Helper()
	e, err := mminfer.Open(dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	err = e.Logits(t.Context(), []int32{76, 420, 90, 1078, 45}, func(_ int, logits []float32) error {
		all = append(all, logits...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const questionLines = `{"subject": "a", "question": "Which is wet?", "choices": ["water", "sand"], "answer": 0}
{"subject": "b", "context": "The king was", "choices": ["old.", "a tree.", "of water."], "answer": 0, "source": "us"}

{"subject": "b", "contexts": ["The fox saw the fox", "The fox saw the bird"], "continuation": "fly away.", "answer": 1}
`

// The table of quality and speed has the same numbers in every form, and a picture.
func TestEvalForms(t *testing.T) {
	model, strategy := tinyStrategy(t)
	asked, plot := filepath.Join(t.TempDir(), "questions.jsonl"), filepath.Join(t.TempDir(), "plot.svg")
	if err := os.WriteFile(asked, []byte(questionLines), 0o644); err != nil {
		t.Fatal(err)
	}
	eval := []string{"subnet", "eval", "-m", model, "--strategy", strategy, "--shape", "5x1,4x0.75,3x1/2", "--ppl", heldText, "--window", "32", "--windows", "3", "--mc", asked}
	var rows []shapeRow
	if err := json.Unmarshal([]byte(must(t, "", append(eval, "-o", "json", "--plot", plot)...)), &rows); err != nil || len(rows) != 3 {
		t.Fatalf("%v, %d rows", err, len(rows))
	}
	if r := rows[2]; r.Shape != "3x0.5" || *r.Measured <= 0 || *r.Prompt <= 0 || *r.Switch <= 0 || !(math.Abs(math.Log(*r.Perplexity)-*r.NLL) < 1e-9) || *r.Accuracy > 1 {
		t.Errorf("found %+v", r)
	}
	table, err := csv.NewReader(strings.NewReader(must(t, "", append(eval, "-o", "csv", "--no-time")...))).ReadAll()
	if err != nil || strings.Join(table[0], " ") != "shape layers params memory nll perplexity acc % acc_norm %" {
		t.Fatalf("%v: %v", err, table)
	}
	md := must(t, "", append(eval, "--no-time")...)
	for i, r := range rows {
		if got, want := table[i+1][5], fmt.Sprintf("%.2f", *r.Perplexity); got != want || !strings.Contains(md, " "+want+" |") {
			t.Errorf("%s: perplexity %s, expected %s, in\n%s", r.Shape, got, want, md)
		}
	}
	if !strings.HasSuffix(md, "\n\n3 windows of 32 tokens; 3 questions of 2 subjects; guesses would get 45.8 % right.\n") {
		t.Errorf("found\n%s", md)
	}
	checkPlot(t, plot, "width 0.75", "perplexity", "milliseconds a token", ">4</text>")
	out := must(t, "", selectTiny(model, filepath.Join(t.TempDir(), "asked"), "--mc", asked, "--widths", "none")...)
	if !strings.Contains(out, "3 questions of 2 subjects") || !strings.Contains(out, "layers  accuracy") {
		t.Errorf("found\n%s", out)
	}
}

// Questions that are too long lose their first tokens, or with --ref-truncate their last ones.
func TestQuestionsAreCut(t *testing.T) {
	ck, err := openCheckpoint("")
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	tok, err := tokenizerOf(ck)
	if err != nil {
		t.Fatal(err)
	}
	answer := 1
	line := questionLine{Subject: "tales", Question: "Who is old?", Choices: []string{"the king", "the child"}, Answer: &answer}
	context := func(limit int, right bool) []int32 {
		q, err := questionReader{tok, limit, right}.question(line)
		if err != nil {
			t.Fatal(err)
		}
		return q.Choices[0].Context
	}
	all := context(1<<20, false)
	if n := len(all) - 4; !slices.Equal(context(n, false), all[4:]) || !slices.Equal(context(n, true), all[:n]) {
		t.Errorf("of %v are left %v and %v", all, context(n, false), context(n, true))
	}
}

// checkPlot holds a picture to be XML with some texts.
func checkPlot(t *testing.T, path string, texts ...string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range texts {
		if !strings.Contains(string(data), want) {
			t.Errorf("%s is not in the picture", want)
		}
	}
	for d := xml.NewDecoder(strings.NewReader(string(data))); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// Sizes and limits agree between list and search, and search measures what it finds.
func TestListAndSearch(t *testing.T) {
	model, strategy := tinyStrategy(t)
	var listed, found []shapeRow
	if err := json.Unmarshal([]byte(must(t, "", "subnet", "list", "-m", model, "--strategy", strategy, "-o", "json")), &listed); err != nil || len(listed) != 9 {
		t.Fatalf("%v, %d shapes", err, len(listed))
	}
	if out := must(t, "", "subnet", "list", "-m", model, "--strategy", strategy); !strings.Contains(out, "--measure measures it") {
		t.Errorf("found\n%s", out)
	}
	limit := listed[4] // in the middle
	for _, flags := range [][]string{{"--params", fmt.Sprint(limit.Params)}, {"--memory", fmt.Sprint(float64(limit.Bytes) / 1e6)}, {"--params", "90M", "--latency", "1e6"}} {
		out := must(t, "", append([]string{"subnet", "search", "-m", model, "--strategy", strategy, "--json"}, flags...)...)
		if err := json.Unmarshal([]byte(out), &found); err != nil {
			t.Fatal(err)
		}
		best := found[0]
		if best.Measured == nil || flags[0] == "--params" && flags[1] != "90M" && best.Params > limit.Params || flags[0] == "--memory" && best.Bytes > limit.Bytes {
			t.Errorf("%v: found %+v", flags, best)
		}
		for _, r := range listed { // nothing larger fits
			if r.Params > best.Params && (flags[0] == "--memory" && r.Bytes <= limit.Bytes || flags[0] == "--params" && flags[1] != "90M" && r.Params <= limit.Params || len(flags) == 4) {
				t.Errorf("%v: found %s, but %s is larger", flags, best.Shape, r.Shape)
			}
		}
	}
	if out := must(t, "", "subnet", "list", "-m", model, "--strategy", strategy); !strings.Contains(out, "Predicted on ") {
		t.Errorf("after a search, found\n%s", out)
	}
	out := must(t, "", "subnet", "search", "-m", model, "--strategy", strategy, "--params", "90M", "--text", heldText, "--window", "32", "--windows", "2", "--candidates", "2")
	if !strings.Contains(out, "perplexity") || strings.Count(out, "\n| ") != 4 {
		t.Errorf("found\n%s", out)
	}
	code, _, errs := cli(t, "", "subnet", "search", "-m", model, "--strategy", strategy, "--latency", "0.000001")
	if code != exitError || !strings.HasPrefix(errs, "mminfer: no shape keeps to 1e-06 ms a token; the fastest is ") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

// A shape that takes longer than was predicted gives way to one that will not; the last that is tried is the
// fastest.
func TestSearchSettles(t *testing.T) {
	for _, c := range []struct {
		latency float64
		slower  func(i int) float64 // than predicted
		best    int                 // -1 for none
		tried   string
	}{
		{0, func(int) float64 { return 9 }, 0, "[0]"},
		{20, func(int) float64 { return 1 }, 0, "[0]"},
		{20, func(int) float64 { return 1.15 }, 3, "[0 3]"},
		{20, func(i int) float64 { return 1.1 + 0.1*float64(i) }, -1, "[0 2 5 8 9]"},
		{20, func(i int) float64 { return []float64{20.1 / (20 - float64(i)), 1}[i/9] }, 9, "[0 1 2 3 4 9]"},
		{20, func(int) float64 { return 1.5 }, 7, "[0 7]"},
		{20, func(int) float64 { return 3 }, -1, "[0 9]"},
	} {
		var rows []shapeRow
		for i := range 10 {
			ms := 20 - float64(i) // 20 to 11
			rows = append(rows, shapeRow{Shape: fmt.Sprint(i), Predicted: &ms})
		}
		var errs strings.Builder
		s := &shapeSearch{shapes: &shapes{app: &app{stderr: &errs}}, latency: number{value: c.latency}}
		var tried []int
		best, err := s.settle(rows, func(r *shapeRow) error {
			i := slices.IndexFunc(rows, func(x shapeRow) bool { return x.Shape == r.Shape })
			ms := *r.Predicted * c.slower(i)
			r.Measured, tried = &ms, append(tried, i)
			return nil
		})
		if fmt.Sprint(tried) != c.tried || (err != nil) != (c.best < 0) || err == nil && best != c.best {
			t.Errorf("%+v: found %d, %v, tried %v", c, best, err, tried)
		}
		if n := strings.Count(errs.String(), ": trying "); n != len(tried)-1 {
			t.Errorf("%d shapes were tried, told\n%s", len(tried), errs.String())
		}
		if err != nil && !strings.HasPrefix(err.Error(), "no shape keeps to 20 ms a token; the fastest is ") {
			t.Error(err)
		}
	}
}

// A subnet that guesses changes nothing of what the model says.
func TestDraftShape(t *testing.T) {
	model, strategy := tinyStrategy(t)
	generate := []string{"generate", "-m", model, "--greedy", "-n", "24", "Once upon a time"}
	want := must(t, "", generate...)
	for _, more := range [][]string{{"--draft", "3"}, {"--shape", "5x1", "--draft-shape", "3x0.5"}, nil} {
		args := append(append(slices.Clone(generate), "--strategy", strategy, "--draft-shape", "4x0.75", "-v"), more...)
		code, out, errs := cli(t, "", args...)
		if more != nil && more[0] == "--shape" { // width 1 leaves out a unit
			want := must(t, "", append(slices.Clone(generate), "--strategy", strategy, "--shape", "5x1")...)
			if code != exitOK || out != want {
				t.Errorf("%v: exit code %d, %q, expected %q", more, code, out, want)
			}
		} else if code != exitOK || out != want {
			t.Errorf("%v: exit code %d, %q, expected %q", more, code, out, want)
		}
		if !strings.Contains(errs, "guesses accepted") {
			t.Errorf("%v: -v told\n%s", more, errs)
		}
	}
}

// Wrong calls of the commands of subnet are one error, which tells what is right.
func TestSubnetRefuses(t *testing.T) {
	model, strategy := tinyStrategy(t)
	bad := filepath.Join(t.TempDir(), "bad.jsonl")
	for line, want := range map[string]string{
		`{"question": "a?", "choices": ["x", "y"], "answer": "B"}`: "line 1: answer: found a string, expected the number of a choice, from 0",
		`{"question": "a?", "choices": ["x", "y"]}`:                "line 1: answer: missing, expected a number from 0 to 1",
		`{"question": "a?", "choices": ["x", "y"], "answer": 2}`:   "line 1: answer: found 2, expected a number from 0 to 1",
		`{"question": "a?", "choices": "x", "answer": 0}`:          "line 1: choices: found a string, expected a list of texts",
		`{"question": "a?", "choices": ["x"], "answer": 0}`:        "line 1: found 1 choice, expected at least 2",
		`{"context": "a", "choices": ["x", " "], "answer": 0}`:     "line 1: choice 1: found an empty text",
		`{"context": "a", "answer": 0}`:                            "line 1: expected question and choices, context and choices, or contexts and continuation",
		`[1]`:                                                      "line 1: found a JSON array, expected an object on each line",
		`Which?`:                                                   "line 1: expected a JSON object on each line: ",
		``:                                                         "found no questions",
	} {
		if err := os.WriteFile(bad, []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
		code, out, errs := cli(t, "", "subnet", "eval", "-m", model, "--strategy", strategy, "--mc", bad)
		if code != exitError || out != "" || !strings.HasPrefix(errs, "mminfer: "+bad+": "+want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit code %d, %s", line, code, errs)
		}
	}
	for _, c := range []struct {
		code int
		args string // of subnet
		want string
	}{
		{exitUsage, "select -m M --text T", `required flag(s) "output" not set`},
		{exitUsage, "select -m M -o O", "give it with --text FILE"},
		{exitUsage, "select -m M --text T -o O --widths 1,2", "--widths: "},
		{exitUsage, "select -m M --text T -o O --widths none --depth-by none", "there is nothing to choose"},
		{exitUsage, "select -m M --text T -o O --metric accuracy", "--metric accuracy needs --mc FILE"},
		{exitUsage, "select -m M --text T -o O --depth-by magic", "expected program, influence, none"},
		{exitError, "select -m M --text T -o O --window 100000", "give more text or a smaller --window"},
		{exitError, "select -m M --text T -o O --min-layers 5", "--min-layers 5: the model has 5 layers, expected fewer"},
		{exitError, "select -m M --text T -o O --keep-last 5", "--keep-last 5: the model has 5 layers, expected fewer"},
		{exitError, "select -m M --text T -o O --keep-last 3 --min-layers 2", "expected at least the 3 of --keep-last"},
		{exitError, "select --text T -o O", "has no subnets"},
		{exitUsage, "list -m M", "give --strategy, from subnet select, or --layers"},
		{exitError, "list -m M --strategy S --shape 5x0.6", "the nearest shape is 5x0.5"},
		{exitError, "list -m M --strategy nowhere", "no such file"},
		{exitUsage, "search -m M --strategy S", "[latency memory params]"},
		{exitUsage, "search -m M --strategy S --params many", "expected a number such as 90M"},
		{exitUsage, "search -m M --layers 0-2 --params 9M", "there is nothing to search"},
		{exitError, "search -m M --strategy S --memory 0.001", "no shape keeps to the limits; the nearest is 3x0.5"},
		{exitUsage, "eval -m M --strategy S", "[ppl mc]"},
		{exitUsage, "eval -m M --strategy S --ppl T -o xml", "expected md, csv, json"},
		{exitUsage, "eval -m M --strategy S --ppl T --no-time --plot P", "[no-time plot]"},
		{exitError, "eval -m M --strategy S --ppl T --window 100000", "give a smaller --window"},
		{exitError, "eval -m M --strategy S --ppl T --plot nowhere/x.svg", "--plot: "},
		{exitUsage, "export -m M --strategy S -o O", "which shape? give --shape: one of 5x1, "},
		{exitUsage, "export -m M --strategy S --shape 4x0.5 -o O --type q8", "expected bf16, f16 or f32"},
		{exitError, "export -m M --strategy S --shape 2x1 -o O", "the nearest shape is 3x1"},
	} {
		args := strings.Fields(c.args)
		for i, a := range args {
			if to := map[string]string{"M": model, "S": strategy, "T": heldText, "O": filepath.Join(t.TempDir(), "out"), "P": bad + ".svg"}[a]; to != "" {
				args[i] = to
			}
		}
		code, out, errs := cli(t, "", append([]string{"subnet"}, args...)...)
		lines := map[int]int{exitUsage: 2, exitError: 1}[c.code]
		if code != c.code || out != "" || !strings.HasPrefix(errs, "mminfer: ") || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != lines {
			t.Errorf("subnet %s: exit code %d, output %q, message %q; expected %q", c.args, code, out, errs, c.want)
		}
	}
}

// Shapes that the adapter was not trained for are told, and only those.
func TestUntrainedShape(t *testing.T) {
	needAmoeba(t)
	for shape, want := range map[string]string{"6x0.75": "warning: the adapter's recipe does not train the shape 6x0.75: expect less of it\n", "6x1": "", "5x0.75": ""} {
		dir := filepath.Join(t.TempDir(), "out")
		code, _, errs := cli(t, "", "subnet", "export", "-m", amoeba+"/base", "--adapter", amoeba, "--strategy", amoeba, "--shape", shape, "-o", dir)
		if code != exitOK || errs != want {
			t.Errorf("%s: exit code %d, %q, expected %q", shape, code, errs, want)
		}
	}
}
