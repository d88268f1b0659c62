package subnet

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// What is odd or wrong in the reference's selection, and whether it is kept, for the same masks and
// biases, or done right.
//
// Source: width_shrink/prune.py and main.py in GATECH-EIC/AmoebaLLM@abb8f7e.
func TestReference(t *testing.T) {
	const dir = "testdata/golden/amoeba_select/"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	ck, err := loader.Open(dir + "model")
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	s, err := NewSelector(ck, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ids := make([]int32, 160)
	for i := range ids {
		ids[i] = int32(i * i % 61)
	}
	f := new(Fluctuations)
	if err := s.Calibrate(t.Context(), f, Windows(ids, 32), func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	scores, err := s.Score(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	widths := func(o WidthOptions) *Strategy {
		strategy, err := s.Widths(t.Context(), f, o)
		if err != nil {
			t.Fatal(err)
		}
		return strategy
	}
	for name, test := range map[string]func(t *testing.T){
		"kept: the ratio 1 drops a unit": func(t *testing.T) {
			dropped := 0
			for _, m := range widths(WidthOptions{Ratios: []float64{1}}).Layers {
				dropped += count(m.Attention[0], false)/8 + count(m.MLP[0], false)
			}
			if dropped != 1 {
				t.Errorf("found %d units dropped, want 1", dropped)
			}
		},
		"kept: heads weigh a whole number of neurons": func(t *testing.T) {
			for g, want := range map[geometry]int{{32, 32, 128}: 170, {5, 5, 8}: 10, {9, 3, 64}: 170} {
				if g.weight() != want {
					t.Errorf("%v: found %d, want %d", g, g.weight(), want)
				}
			}
		},
		"kept: fluctuations without the first window, by the new mean, not divided by tokens": func(t *testing.T) {
			windows := [][]float32{{1, 3}, {2, 6}, {5, 9}} // of two tokens of one channel
			var m Moment
			mean, want := 0.0, 0.0
			for k, w := range windows {
				m.add(k, tensor.Mat{Rows: 2, Cols: 1, Stride: 1, Data: w})
				n := float64(k)
				mean = mean*n/(n+1) + float64(w[0]+w[1])/2/(n+1)
				if k > 0 {
					want += n / (n + 1) * (math.Pow(float64(w[0])-mean, 2) + math.Pow(float64(w[1])-mean, 2))
				}
			}
			if want /= float64(len(windows) - 1); !(math.Abs(m.Fluctuation[0]-want) <= 1e-12*want) || m.Mean[0] != mean {
				t.Errorf("found %v and %v, want %v and %v", m.Mean[0], m.Fluctuation[0], mean, want)
			}
		},
		"kept: the metric of attentions is squared": func(t *testing.T) {
			v, err := s.importance(2, "self_attn.o_proj", f.Layers[2].Attention)
			if err != nil {
				t.Fatal(err)
			}
			for j := range v {
				v[j] *= v[j]
			}
			standardise(v)
			var first float64
			for _, z := range v[:8] {
				first += z / 8
			}
			if !(math.Abs(first-scores.Heads[2][0]) <= 1e-12) {
				t.Errorf("found %v, want %v", scores.Heads[2][0], first)
			}
		},
		"kept: biases of means in float16, unless they are to be exact": func(t *testing.T) {
			rounded, exact := widths(WidthOptions{Ratios: []float64{0.5}}), widths(WidthOptions{Ratios: []float64{0.5}, Exact: true})
			if slices.Equal(rounded.Layers[0].Down[0], exact.Layers[0].Down[0]) || !slices.Equal(rounded.Layers[0].MLP[0], exact.Layers[0].MLP[0]) {
				t.Error("found the same biases, or other masks")
			}
			if half(1+0x1p-11) != 1 || half(1+3*0x1p-11) != 1+0x1p-9 || half(0x1p-24) != 0x1p-24 || half(0x1p-26) != 0 {
				t.Error("found other float16 numbers")
			}
		},
		"right: any ratios, and an error that lists them": func(t *testing.T) {
			strategy := widths(WidthOptions{Ratios: []float64{0.5, 0.8, 0.65}}) // those of the reference's script
			family, err := New(ck, nil, strategy)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := family.Resolve(Shape{7, 0.75}); err == nil || !strings.Contains(err.Error(), "widths 0.8, 0.65, 0.5") {
				t.Errorf("found %v, want an error that lists the widths", err)
			}
		},
		"right: a depth is what it says, and its last layer may go": func(t *testing.T) {
			d := DepthSearch{Layers: 7, MinLayers: 4}
			judge, err := s.Judge(Calibration{Metric: MeanNLL, Windows: Windows(ids, 32)}, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Run(t.Context(), judge, func(Cell) error { return nil }); err != nil {
				t.Fatal(err)
			}
			family, err := New(ck, nil, &Strategy{Depths: map[int]Depth{3: {Kept: []bool{true, true, true, true, false, false, false}}}})
			if err != nil {
				t.Fatal(err)
			}
			cut, err := family.Cut(Shape{4, 1}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			m, err := models.New(cut, models.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if m.Layers() != 4 {
				t.Errorf("found %d layers, want 4", m.Layers())
			}
		},
		"right: averages that differ by their last bit are ties": func(t *testing.T) {
			tenth, d := 0.1, DepthSearch{Higher: true}
			sum := tenth + 2*tenth
			if sum == 0.3 || d.better(sum, 0.3) || !d.better(0.31, 0.3) {
				t.Error("found a share better by a rounding, or not better by one in a hundred")
			}
			if d = (DepthSearch{}); !d.better(0.3, sum) {
				t.Error("a smaller loss is better by any difference")
			}
		},
		"right: accuracy is the mean over subjects of all questions": func(t *testing.T) {
			c := Choice{Context: []int32{1}, Continuation: []int32{2}}
			var questions []Question
			var answers [][]float64
			for i, subject := range []string{"a", "a", "a", "b"} {
				questions = append(questions, Question{Subject: subject, Choices: []Choice{c, c}})
				answers = append(answers, []float64{float64(i % 3), 1})
			}
			a := Grade(questions, answers) // a: 0 < 1, 1 = 1, 2 > 1; b: 0 < 1
			if want := (2.0/3 + 0) / 2; a.Accuracy != want || a.Right != 2 {
				t.Errorf("found %v with %d right, want %v with 2", a.Accuracy, a.Right, want)
			}
		},
	} {
		t.Run(name, test)
	}
}

// Heads that share keys are kept or dropped together: a subnet is the base with what is dropped
// silenced, and the strategy's files say so.
func TestGroups(t *testing.T) {
	const dir = "../models/testdata/golden/hf_llama"
	ck, err := loader.Open(dir)
	if err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	defer ck.Close()
	s, err := NewSelector(ck, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ids := make([]int32, 96)
	for i := range ids {
		ids[i] = int32(i * i % 31)
	}
	f := new(Fluctuations)
	if err := s.Calibrate(t.Context(), f, Windows(ids, 24), func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	strategy, err := s.Widths(t.Context(), f, WidthOptions{Ratios: []float64{0.8, 0.6}})
	if err != nil {
		t.Fatal(err)
	}
	if strategy.Group < 2 {
		t.Fatalf("found groups of %d heads, want a model with several", strategy.Group)
	}
	for _, form := range []string{"npy", "json"} {
		data := strategy.NPY(s.Layers())
		if form == "json" {
			if data, err = strategy.JSON(); err != nil {
				t.Fatal(err)
			}
		}
		read, err := ReadStrategy(data)
		if err != nil {
			t.Fatal(err)
		}
		if read.Group != strategy.Group || !slices.Equal(read.Layers[1].Attention[1], strategy.Layers[1].Attention[1]) {
			t.Errorf("%s: found another strategy", form)
		}
		family, err := New(ck, nil, read)
		if err != nil {
			t.Fatal(err)
		}
		cut, err := family.Cut(Shape{s.Layers(), 0.6}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := logitsOf(t, cut, ids[:20])
		want := logitsOf(t, silenced{ck, strategy, 1}, ids[:20])
		var square, diff float64
		for i := range want {
			square, diff = square+float64(want[i]*want[i]), max(diff, math.Abs(float64(got[i]-want[i])))
		}
		if !(diff <= 1e-4*math.Sqrt(square/float64(len(want)))) {
			t.Errorf("%s: found logits off by %v", form, diff)
		}
	}
	strategy.Group = 0
	if _, err := New(ck, nil, strategy); err == nil || !strings.Contains(err.Error(), "share keys") {
		t.Errorf("found %v, want that masks of heads alone are refused", err)
	}
}

func logitsOf(t *testing.T, ck models.Checkpoint, ids []int32) []float32 {
	t.Helper()
	m, err := models.New(ck, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	b := models.Batch{Seqs: []models.Seq{{IDs: ids, State: m.NewState(), Want: models.WantAll}}}
	if err := m.Forward(&b, new(tensor.Workspace)); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b.Logits.Data)
}

// silenced is a checkpoint of which the columns of o_proj and down_proj that a width drops are zero.
type silenced struct {
	*loader.Checkpoint
	strategy *Strategy
	width    int
}

func (s silenced) Config() []byte {
	return []byte(strings.ReplaceAll(string(s.Checkpoint.Config()), `_bias": false`, `_bias": true`))
}

func (s silenced) Names() []string {
	names := slices.Clone(s.Checkpoint.Names())
	for l := range s.strategy.Layers {
		for _, p := range projections {
			names = append(names, layerName(l, p+".bias"))
		}
	}
	return names
}

func (s silenced) Tensor(name string) (tensor.Tensor, bool) {
	m := layerTensor.FindStringSubmatch(name)
	if m == nil {
		return s.Checkpoint.Tensor(name)
	}
	layer := int(m[1][0] - '0')
	masks := s.strategy.Layers[layer]
	if p, ok := strings.CutSuffix(m[2], ".bias"); ok {
		w, _ := s.Checkpoint.Tensor(layerName(layer, p+".weight"))
		v := make([]float32, w.Shape[0])
		if b := masks.bias(p); b != nil {
			v = b[s.width]
		}
		return tensor.Tensor{Name: name, Type: tensor.F32, Shape: []int{len(v)}, Data: floatBytes(v)}, true
	}
	t, ok := s.Checkpoint.Tensor(name)
	mask := map[string][][]bool{"self_attn.o_proj.weight": masks.Attention, "mlp.down_proj.weight": masks.MLP}[m[2]]
	if mask == nil {
		return t, ok
	}
	v := make([]float32, t.Elements())
	t.Floats(v, 0)
	for i := range v {
		if !mask[s.width][i%t.Shape[1]] {
			v[i] = 0
		}
	}
	return tensor.Tensor{Name: name, Type: tensor.F32, Shape: t.Shape, Data: floatBytes(v)}, ok
}
