package golden

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

// Selection is the contents of cases.json of a golden of choosing subnets.
type Selection struct {
	Tokens  []int32 `json:"calibration_tokens"` // a text
	Windows struct{ Count, Length int }
	// Asked are questions whose choices are single tokens.
	Asked []struct {
		Subject string
		Context []int32
		Choices []int32
		Answer  int
	} `json:"questions"`
	Depth []SelectionDepth // runs
	Width struct {         // masks for ratios
		Ratios     []float64
		HeadWeight int `json:"head_weight"`
		Thresholds map[string]struct {
			Score   float64
			Heads   []int `json:"heads_kept"`
			Neurons []int `json:"neurons_kept"`
		}
	}
	Shapes []SelectionShape // of the run with the loss, its last layer kept

	dir  string
	ck   *loader.Checkpoint
	want *loader.Checkpoint
}

// SelectionDepth is a run of the depth programme.
type SelectionDepth struct {
	Metric      string                         // loss, accuracy or accuracy_first6
	Keep        int                            `json:"keep_last_layer"`
	Min         int                            `json:"min_layers"`
	Evaluations int                            // cells
	Table       [][]*float64                   // rows of layers considered, columns of layers removed; null where unfilled
	Kept        [][]*string                    `json:"strategy_table"` // a 1 or 0 for each layer
	Result      map[int]struct{ Active []int } // by layers removed
}

// SelectionShape is what one shape does.
type SelectionShape struct {
	Depth      int
	Width      float64
	Active     []int   // 1 for each layer kept
	Perplexity float64 // of the text in windows of 24
	Choices    []struct {
		Context       []int32
		Continuations [][]int32
		CharLengths   []int `json:"char_lengths"`
		LogLikelihood []float64
		Pick          int
		PickNorm      int `json:"pick_norm"`
	} `json:"multiple_choice"`
}

// Tally is how cases of one kind went.
type Tally struct {
	What         string
	Wrong, Cases int
	First        string // what is wrong with the first that is
}

// check counts a case.
func (t *Tally) check(ok bool, format string, args ...any) {
	if t.Cases++; !ok {
		if t.Wrong++; t.Wrong == 1 {
			t.First = fmt.Sprintf(format, args...)
		}
	}
}

// near counts numbers that must be within a bound of others.
func (t *Tally) near(name string, got []float64, want []float64, bound float64) {
	for i := range want {
		if i >= len(got) || !(math.Abs(got[i]-want[i]) <= bound) {
			t.check(false, "%s: element %d of %d: found error beyond %.3g", name, i, len(want), bound)
			return
		}
	}
	t.check(len(got) == len(want), "%s: found %d numbers, want %d", name, len(got), len(want))
}

// IsSelection reports whether a cases.json is of this kind.
func IsSelection(path string) bool {
	var c struct {
		Tokens []int32         `json:"calibration_tokens"`
		Depth  json.RawMessage `json:"depth"`
	}
	data, err := os.ReadFile(path)
	return err == nil && json.Unmarshal(data, &c) == nil && c.Tokens != nil && c.Depth != nil
}

// OpenSelection reads a directory; Close releases it.
func OpenSelection(dir string) (s *Selection, err error) {
	path := filepath.Join(dir, "cases.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s = &Selection{dir: dir}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("golden: %s: %w", path, err)
	}
	if s.ck, err = loader.Open(filepath.Join(dir, "model")); err != nil {
		return nil, err
	}
	if s.want, err = loader.OpenFile(filepath.Join(dir, "want.safetensors")); err != nil {
		return nil, errors.Join(err, s.ck.Close())
	}
	return s, nil
}

// Close releases the files.
func (s *Selection) Close() error { return errors.Join(s.ck.Close(), s.want.Close()) }

// Checkpoint returns the model.
func (s *Selection) Checkpoint() *loader.Checkpoint { return s.ck }

// Calibration returns what a metric of the golden is measured on.
func (s *Selection) Calibration(metric string) subnet.Calibration {
	if metric == "loss" {
		return subnet.Calibration{Metric: subnet.MeanNLL, Windows: s.windows(4)}
	}
	cal := subnet.Calibration{Metric: subnet.Accuracy}
	for i, q := range s.Asked {
		question := subnet.Question{Subject: q.Subject, Answer: q.Answer}
		if metric == "accuracy_first6" {
			if i == 6 {
				break
			}
			question.Subject = ""
		}
		for _, id := range q.Choices {
			question.Choices = append(question.Choices, subnet.Choice{Context: q.Context, Continuation: []int32{id}})
		}
		cal.Questions = append(cal.Questions, question)
	}
	return cal
}

// windows returns the first n windows.
func (s *Selection) windows(n int) [][]int32 {
	return subnet.Windows(s.Tokens[:n*s.Windows.Length], s.Windows.Length)
}

// wanted returns a tensor of the reference, flat.
func (s *Selection) wanted(name string) []float64 {
	t, _ := s.want.Tensor(name)
	v := make([]float32, t.Elements())
	t.Floats(v, 0)
	return widened(v)
}

func widened(v []float32) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

// Run chooses everything anew and compares. The bounds are those that the golden suggests for float32:
// 1e-4 of metrics and scores; biases 1e-6 of exact means, and of those rounded to float16.
func (s *Selection) Run(ctx context.Context, pool *tensor.Pool) ([]Tally, error) {
	selector, err := subnet.NewSelector(s.ck, models.Options{Pool: pool})
	if err != nil {
		return nil, err
	}
	defer selector.Close()
	var all []Tally
	var loss map[int]subnet.Depth
	for _, d := range s.Depth {
		t, depths, err := s.runDepth(ctx, selector, d)
		if err != nil {
			return nil, err
		}
		if all = append(all, t); d.Metric == "loss" && d.Keep == 1 {
			loss = depths
		}
	}
	f := new(subnet.Fluctuations)
	if err := selector.Calibrate(ctx, f, s.windows(s.Windows.Count), func() error { return nil }); err != nil {
		return nil, err
	}
	scores, err := selector.Score(ctx, f)
	if err != nil {
		return nil, err
	}
	widths, err := s.runWidths(ctx, selector, f, scores)
	if err != nil {
		return nil, err
	}
	all = append(all, s.runScores(f, scores))
	all = append(all, widths...)
	strategy, err := selector.WidthsOf(ctx, f, scores, subnet.WidthOptions{Ratios: s.Width.Ratios})
	if err != nil {
		return nil, err
	}
	strategy.Depths = loss
	files, err := s.runFiles(strategy)
	if err != nil {
		return nil, err
	}
	shapes, err := s.runShapes(ctx, strategy, pool)
	return append(all, files, shapes), err
}

// runDepth fills one table.
func (s *Selection) runDepth(ctx context.Context, selector *subnet.Selector, d SelectionDepth) (Tally, map[int]subnet.Depth, error) {
	t := Tally{What: fmt.Sprintf("depth, %s, last %d kept", d.Metric, d.Keep)}
	judge, err := selector.Judge(s.Calibration(d.Metric), 1<<20)
	if err != nil {
		return t, nil, err
	}
	search := &subnet.DepthSearch{Layers: selector.Layers(), KeepLast: d.Keep, MinLayers: d.Min, Higher: d.Metric != "loss"}
	evaluations := 0
	err = search.Run(ctx, judge, func(subnet.Cell) error {
		evaluations++
		return nil
	})
	if err != nil {
		return t, nil, err
	}
	t.check(evaluations == d.Evaluations && search.Cells() == evaluations, "found %d evaluations of %d, want %d", evaluations, search.Cells(), d.Evaluations)
	for n, row := range d.Table {
		for m, want := range row {
			kept := ""
			for _, k := range search.Kept[n][m] {
				kept += map[bool]string{true: "1", false: "0"}[k]
			}
			if want == nil {
				t.check(math.IsInf(search.Best[n][m], 0), "row %d, column %d: found %v, want nothing", n, m, search.Best[n][m])
			} else {
				t.check(math.Abs(search.Best[n][m]-*want) <= 1e-4, "row %d, column %d: found %v, want %v", n, m, search.Best[n][m], *want)
			}
			if k := d.Kept[n][m]; k != nil {
				t.check(kept == *k, "row %d, column %d: found layers %s, want %s", n, m, kept, *k)
			}
		}
	}
	depths := search.Depths()
	for m, want := range d.Result {
		t.check(slices.EqualFunc(depths[m].Kept, want.Active, func(k bool, a int) bool { return k == (a == 1) }), "%d removed: found %v, want %v", m, depths[m].Kept, want.Active)
	}
	return t, depths, nil
}

// runScores compares statistics and scores.
func (s *Selection) runScores(f *subnet.Fluctuations, scores *subnet.Scores) Tally {
	t := Tally{What: "means, fluctuations and scores"}
	for name, of := range map[string]func(l int) []float64{
		"flap.attn.mean": func(l int) []float64 { return f.Layers[l].Attention.Mean }, "flap.attn.fluct": func(l int) []float64 { return f.Layers[l].Attention.Fluctuation },
		"flap.mlp.mean": func(l int) []float64 { return f.Layers[l].MLP.Mean }, "flap.mlp.fluct": func(l int) []float64 { return f.Layers[l].MLP.Fluctuation },
		"flap.head_score": func(l int) []float64 { return scores.Heads[l] }, "flap.neuron_score": func(l int) []float64 { return scores.Neurons[l] },
	} {
		want := s.wanted(name)
		n := len(want) / len(f.Layers)
		for l := range f.Layers {
			t.near(fmt.Sprintf("%s, layer %d", name, l), of(l), want[l*n:(l+1)*n], 1e-4*largest(want))
		}
	}
	t.check(scores.Weight == s.Width.HeadWeight, "found heads of weight %d, want %d", scores.Weight, s.Width.HeadWeight)
	return t
}

func largest(v []float64) (most float64) {
	for _, x := range v {
		most = max(most, math.Abs(x))
	}
	return most
}

// runWidths compares masks and biases.
func (s *Selection) runWidths(ctx context.Context, selector *subnet.Selector, f *subnet.Fluctuations, scores *subnet.Scores) ([]Tally, error) {
	masks, biases := Tally{What: "masks"}, Tally{What: "biases"}
	for _, exact := range []bool{false, true} {
		strategy, err := selector.WidthsOf(ctx, f, scores, subnet.WidthOptions{Ratios: s.Width.Ratios, Exact: exact})
		if err != nil {
			return nil, err
		}
		suffix := map[bool]string{true: "_exact"}[exact]
		for i, w := range strategy.Widths {
			name := fmt.Sprintf("flap.%v.", w)
			if w == 1 {
				name = "flap.1.0."
			}
			for l, m := range strategy.Layers {
				for _, b := range []struct {
					name string
					of   [][]float32
				}{{"bias_attn", m.Out}, {"bias_mlp", m.Down}} {
					want := s.wanted(name + b.name + suffix)
					n := len(want) / len(strategy.Layers)
					biases.near(fmt.Sprintf("%s%s%s, layer %d", name, b.name, suffix, l), widened(b.of[i]), want[l*n:(l+1)*n], 1e-6)
				}
				if exact {
					continue
				}
				for _, u := range []struct {
					name string
					of   [][]bool
				}{{"heads", m.Attention}, {"neurons", m.MLP}} {
					want := s.wanted(name + u.name)
					n := len(want) / len(strategy.Layers)
					size := len(u.of[i]) / n
					for c, kept := range u.of[i] {
						masks.check(kept == (want[l*n+c/size] == 1), "%s%s, layer %d: channel %d: found %v", name, u.name, l, c, kept)
					}
				}
			}
		}
	}
	return []Tally{masks, biases}, nil
}

// runFiles compares the strategy with the reference's file, and with itself written and read.
func (s *Selection) runFiles(found *subnet.Strategy) (Tally, error) {
	t := Tally{What: "strategy files"}
	want, err := subnet.OpenStrategy(filepath.Join(s.dir, "dp_selection_strategy.npy"))
	if err != nil {
		return t, err
	}
	t.compare("dp_selection_strategy.npy", found, want, 1e-6)
	for _, form := range []string{"npy", "json"} {
		written := found.NPY(len(found.Layers))
		if form == "json" {
			if written, err = found.JSON(); err != nil {
				return t, err
			}
		}
		read, err := subnet.ReadStrategy(written)
		if err != nil {
			return t, fmt.Errorf("%s: %w", form, err)
		}
		t.compare(form, read, found, 0)
	}
	return t, nil
}

// compare compares two strategies: all but biases and metrics must be the same.
func (t *Tally) compare(name string, got, want *subnet.Strategy, bound float64) {
	t.check(len(got.Depths) == len(want.Depths), "%s: found %d depths, want %d", name, len(got.Depths), len(want.Depths))
	for m, d := range want.Depths {
		full := append(slices.Clone(got.Depths[m].Kept), true)[:len(d.Kept)] // a last layer that is kept need not be told
		t.check(slices.Equal(full, d.Kept), "%s: %d removed: found %v, want %v", name, m, got.Depths[m].Kept, d.Kept)
		t.check(math.Abs(got.Depths[m].Metric-d.Metric) <= 100*bound, "%s: %d removed: found metric %v, want %v", name, m, got.Depths[m].Metric, d.Metric)
	}
	t.check(slices.Equal(got.Widths, want.Widths), "%s: found widths %v, want %v", name, got.Widths, want.Widths)
	for l := range want.Layers {
		for i := range want.Widths {
			g, w := got.Layers[l], want.Layers[l]
			t.check(slices.Equal(g.Attention[i], w.Attention[i]) && slices.Equal(g.MLP[i], w.MLP[i]), "%s: layer %d: other masks", name, l)
			t.near(name+": bias", widened(g.Out[i]), widened(w.Out[i]), bound)
			t.near(name+": bias", widened(g.Down[i]), widened(w.Down[i]), bound)
		}
	}
}

// runShapes evaluates what was chosen.
func (s *Selection) runShapes(ctx context.Context, strategy *subnet.Strategy, pool *tensor.Pool) (Tally, error) {
	t := Tally{What: "perplexity and answers of shapes"}
	family, err := subnet.New(s.ck, nil, strategy)
	if err != nil {
		return t, err
	}
	for _, want := range s.Shapes {
		if err := s.runShape(ctx, &t, family, want, pool); err != nil {
			return t, err
		}
	}
	return t, nil
}

// runShape evaluates one shape.
func (s *Selection) runShape(ctx context.Context, t *Tally, family *subnet.Family, want SelectionShape, pool *tensor.Pool) error {
	cut, err := family.Cut(subnet.Shape{Depth: want.Depth, Width: want.Width}, subnet.Options{})
	if err != nil {
		return err
	}
	m, err := models.New(cut, models.Options{Pool: pool})
	if err != nil {
		return err
	}
	defer m.Close()
	var questions []subnet.Question
	for _, c := range want.Choices {
		q := subnet.Question{Answer: c.Pick}
		for i, ids := range c.Continuations {
			q.Choices = append(q.Choices, subnet.Choice{Context: c.Context, Continuation: ids, Characters: c.CharLengths[i]})
		}
		questions = append(questions, q)
	}
	e, err := subnet.Evaluate(ctx, m, &tensor.Workspace{Pool: pool}, subnet.Windows(s.Tokens, 24), questions, nil)
	if err != nil {
		return err
	}
	t.near(fmt.Sprintf("%v: perplexity", cut.Shape), []float64{e.Perplexity}, []float64{want.Perplexity}, 1e-4*want.Perplexity)
	for i, c := range want.Choices {
		questions[i].Answer = c.PickNorm
		t.near(fmt.Sprintf("%v: question %d", cut.Shape, i), e.Answers.Scores[i], c.LogLikelihood, 1e-4)
	}
	t.check(e.Answers.Accuracy == 1, "%v: found other answers picked", cut.Shape)
	t.check(subnet.Grade(questions, e.Answers.Scores).Normalised == 1, "%v: found other answers picked for a character", cut.Shape)
	return nil
}
