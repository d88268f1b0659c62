package models_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/kernels"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// runs feeds a golden's prompts and continuations.
func runs(t *testing.T, dir string, m *models.Model, pool *tensor.Pool, feed golden.Options) golden.Output {
	t.Helper()
	suite, err := golden.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer suite.Close()
	_, out, err := suite.Run(m, &tensor.Workspace{Pool: pool}, feed)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPortable compares portable Go with the widest kernels of the machine, bit for bit.
func TestPortable(t *testing.T) {
	widest := "portable"
	for _, i := range kernels.Implementations() {
		if i.Enabled() {
			widest = i.ISA
		}
	}
	if widest == "portable" {
		t.Skip("portable Go is all there is")
	}
	for _, format := range []tensor.Format{tensor.FormatAuto, tensor.FormatQ8} {
		goldens(t, func(t *testing.T, dir string) {
			m := open(t, dir, models.Options{Format: format})
			want := runs(t, dir, m, nil, golden.Options{})
			if err := kernels.Limit("portable"); err != nil {
				t.Fatal(err)
			}
			defer kernels.Limit("AVX512BF16") // everything the machine has
			sameBits(t, golden.Options{}, runs(t, dir, m, nil, golden.Options{Split: 9}), want)
		})
	}
}

// relative is the root of mean squares of got-want over that of want.
func relative(got, want []float32) float64 {
	var diff, all float64
	for i := range want {
		d := float64(got[i]) - float64(want[i])
		diff, all = diff+d*d, all+float64(want[i])*float64(want[i])
	}
	return math.Sqrt(diff / all)
}

// noisy is a checkpoint whose matrices carry random noise as large as a format's rounding: up to
// half a step, which is relative for a float and a share of the largest number of its 32 for 8 bits.
type noisy struct {
	models.Checkpoint
	format tensor.Format
	r      *rand.Rand
}

func (n noisy) Tensor(name string) (tensor.Tensor, bool) {
	t, ok := n.Checkpoint.Tensor(name)
	if !ok || len(t.Shape) < 2 {
		return t, ok
	}
	v := make([]float32, t.Elements())
	t.Floats(v, 0)
	for block := range slices.Chunk(v, 32) {
		var largest float32
		for _, x := range block {
			largest = max(largest, float32(math.Abs(float64(x))))
		}
		for i, x := range block {
			step := map[tensor.Format]float32{tensor.FormatF16: 0x1p-10 * x, tensor.FormatBF16: 0x1p-7 * x, tensor.FormatBF16Dot: 0x1p-7 * x, tensor.FormatQ8: largest / 127, tensor.FormatQ6: largest / 31}[n.format]
			block[i] += step * (n.r.Float32() - 0.5)
		}
	}
	t.Type, t.Data = tensor.F32, make([]byte, 0, 4*len(v))
	for _, x := range v {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(x))
	}
	return t, true
}

// tokenErrors returns the relative errors of all tokens' logits in ascending order.
func tokenErrors(got, want golden.Output, vocab int) (all []float64) {
	for name := range want {
		if strings.HasSuffix(name, ".logits") {
			for i := 0; i < len(want[name]); i += vocab {
				all = append(all, relative(got[name][i:i+vocab], want[name][i:i+vocab]))
			}
		}
	}
	slices.Sort(all)
	return all
}

// TestFormats runs every format. A model's own sensitivity, measured in float32 with noise of the
// size of a format's rounding, tells what the format may cost: as much in the weights, and in q8 and
// bf16-dot as much again in the activations. A router near a tie may turn for single tokens, so the median
// counts; where routing selects all, the worst counts.
func TestFormats(t *testing.T) {
	goldens(t, func(t *testing.T, dir string) {
		f32 := open(t, dir, models.Options{Format: tensor.FormatF32})
		want := runs(t, dir, f32, nil, golden.Options{})
		sameBits(t, golden.Options{}, runs(t, dir, open(t, dir, models.Options{}), nil, golden.Options{}), want) // the checkpoint's own precision loses nothing
		ck, err := loader.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer ck.Close()
		for _, format := range []tensor.Format{tensor.FormatF16, tensor.FormatBF16, tensor.FormatBF16Dot, tensor.FormatQ8, tensor.FormatQ6} {
			m, err := models.New(noisy{ck, format, rand.New(rand.NewPCG(1, 1))}, models.Options{Format: tensor.FormatF32})
			if err != nil {
				t.Fatal(err)
			}
			may := tokenErrors(runs(t, dir, m, nil, golden.Options{}), want, m.Vocab)
			got := tokenErrors(runs(t, dir, open(t, dir, models.Options{Format: format}), nil, golden.Options{}), want, m.Vocab)
			at := len(got) / 2
			if filepath.Base(dir) == "topk_all" {
				at = len(got) - 1
			}
			t.Logf("%v: relative error of a token's logits: %.2g, with random noise %.2g", format, got[at], may[at])
			if !(got[at] <= 2*may[at]) {
				t.Errorf("%v: relative error %.2g, expected at most twice that of random noise, %.2g", format, got[at], may[at])
			}
		}
	})
}

// TestFormatsFeeds: in lossy formats, too, the feed changes nothing.
func TestFormatsFeeds(t *testing.T) {
	pool := tensor.NewPool(2)
	defer pool.Close()
	goldens(t, func(t *testing.T, dir string) {
		for _, format := range []tensor.Format{tensor.FormatQ8, tensor.FormatF16, tensor.FormatQ4} {
			m := open(t, dir, models.Options{Format: format, Pool: pool})
			want := runs(t, dir, m, nil, golden.Options{})
			for _, feed := range feeds[1:6] {
				sameBits(t, feed, runs(t, dir, m, pool, feed), want)
			}
		}
	})
}

// TestBF16 names what a BF16 checkpoint promises: the same bits in FormatBF16 as in FormatF32.
func TestBF16(t *testing.T) {
	need(t)
	dir := filepath.FromSlash("testdata/golden/mom_gated_deltanet")
	f32, bf16 := open(t, dir, models.Options{Format: tensor.FormatF32}), open(t, dir, models.Options{Format: tensor.FormatBF16})
	sameBits(t, golden.Options{}, runs(t, dir, bf16, nil, golden.Options{}), runs(t, dir, f32, nil, golden.Options{}))
	if f32.WeightBytes() <= bf16.WeightBytes()*3/2 {
		t.Errorf("%d bytes of weights in f32, %d in bf16", f32.WeightBytes(), bf16.WeightBytes())
	}
}

// TestDecodeAllocations counts all allocations of some tokens, across the end of a page, for one
// sequence and for three side by side.
func TestDecodeAllocations(t *testing.T) {
	pool := tensor.NewPool(2)
	defer pool.Close()
	goldens(t, func(t *testing.T, dir string) {
		for _, format := range []tensor.Format{tensor.FormatAuto, tensor.FormatQ8} {
			m := open(t, dir, models.Options{Format: format})
			for _, sequences := range []int{1, 3} {
				for _, p := range []*tensor.Pool{nil, pool} {
					ws, b := &tensor.Workspace{Pool: p}, models.Batch{}
					for i := range sequences {
						s := m.NewState()
						advance(t, m, s, text(m, 60+i, 1)...)
						s.Reserve(6 * 40)
						b.Seqs = append(b.Seqs, models.Seq{IDs: []int32{5}, State: s, Want: models.WantLast})
					}
					const tokens = 40
					feed := func() {
						for range tokens {
							if err := m.Forward(&b, ws); err != nil {
								t.Fatal(err)
							}
						}
					}
					n := testing.AllocsPerRun(1, feed)
					for i := 0; i < 2 && n > 0; i++ { // the runtime of the process allocates now and then, too
						n = testing.AllocsPerRun(1, feed)
					}
					if n != 0 {
						t.Errorf("%v: %v allocations in %d tokens of %d sequences on %d threads", format, n, tokens, sequences, p.Threads())
					}
				}
			}
		}
	})
}

// TestForwardWants asks for all, the last and none of the rows in one batch.
func TestForwardWants(t *testing.T) {
	need(t)
	m, ws := open(t, hybrid, models.Options{}), new(tensor.Workspace)
	ids := text(m, 40, 5)
	alone := advance(t, m, m.NewState(), ids...)
	row := func(i int) []float32 { return alone[i*m.Vocab : (i+1)*m.Vocab] }
	b := models.Batch{Seqs: []models.Seq{
		{IDs: ids[:7], State: m.NewState(), Want: models.WantLast},
		{IDs: ids[:9], State: m.NewState()},
		{State: m.NewState(), Want: models.WantAll},
		{State: m.NewState(), Want: models.WantLast},
		{IDs: ids[:3], State: m.NewState(), Want: models.WantAll},
	}}
	if err := m.Forward(&b, ws); err != nil {
		t.Fatal(err)
	}
	if b.Logits.Rows != 4 || b.Hidden.Rows != 4 || b.Hidden.Cols != m.Width {
		t.Fatalf("%d rows of logits, %d of hidden states, want 4", b.Logits.Rows, b.Hidden.Rows)
	}
	for i, out := range []int{0, 1, 1, 1, 1} {
		if b.Seqs[i].Out != out {
			t.Errorf("sequence %d: outputs from row %d, want %d", i, b.Seqs[i].Out, out)
		}
	}
	sameFloats(t, "last row", b.Logits.Row(0), row(6))
	for i := range 3 {
		sameFloats(t, "all rows", b.Logits.Row(1+i), row(i))
	}
	hidden := append([]float32(nil), b.Hidden.Data...)

	b.HiddenOnly = true // with fresh states, in the memory of before
	for i := range b.Seqs {
		b.Seqs[i].State = m.NewState()
	}
	if err := m.Forward(&b, ws); err != nil {
		t.Fatal(err)
	}
	sameFloats(t, "hidden states", b.Hidden.Data, hidden)
	if b.Logits.Rows != 0 {
		t.Errorf("%d rows of logits, want none", b.Logits.Rows)
	}

	for name, empty := range map[string]models.Batch{"no sequence": {}, "no tokens": {Seqs: []models.Seq{{State: m.NewState(), Want: models.WantAll}}}} {
		if err := m.Forward(&empty, ws); err != nil || empty.Logits.Rows != 0 {
			t.Errorf("%s: %d rows, %v", name, empty.Logits.Rows, err)
		}
	}
}

// TestForwardRefuses: nothing changes when one sequence of a batch cannot be computed.
func TestForwardRefuses(t *testing.T) {
	need(t)
	m, other := open(t, hybrid, models.Options{}), open(t, small, models.Options{})
	for _, c := range []struct {
		bad  models.Seq
		want string
	}{
		{models.Seq{IDs: []int32{1, 89}, State: m.NewState()}, "models: sequence 1: token 1 is 89, expected 0 to 88"},
		{models.Seq{IDs: []int32{-1}, State: m.NewState()}, "models: sequence 1: token 0 is -1, expected 0 to 88"},
		{models.Seq{IDs: []int32{1}, State: other.NewState()}, "models: sequence 1: its state belongs to another model"},
	} {
		s := m.NewState()
		advance(t, m, s, 1, 2, 3)
		before := stored(t, s)
		err := m.Forward(&models.Batch{Seqs: []models.Seq{{IDs: []int32{1, 2}, State: s}, c.bad}}, new(tensor.Workspace))
		if fmt.Sprint(err) != c.want {
			t.Errorf("found %v, want %v", err, c.want)
		}
		if string(stored(t, s)) != string(before) || c.bad.State.Pos() != 0 {
			t.Errorf("%v: the states changed", err)
		}
	}
}
