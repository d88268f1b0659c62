package golden

import (
	"fmt"
	"math"
	"slices"

	"github.com/mminfer/mminfer/kernels/route"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// Options say how to feed the prompts.
type Options struct {
	Split  int  // tokens of a piece, 0 for whole prompts
	Batch  bool // all cases as one ragged batch
	Pieces bool // cut each prompt at its own pieces
}

// Result is the comparison of one tensor, or of a greedy continuation.
type Result struct {
	Case, Tensor, Of string
	MaxError         float64
	Bound            float64
	Float32Error     float64 // what the reference itself errs in float32
	Note             string  // what is wrong beyond the error
}

// OK reports whether the values are within the bound; a NaN is not.
func (r Result) OK() bool { return r.MaxError <= r.Bound && r.Note == "" }

// Output is what a run computed: every tensor of every case, flat.
type Output map[string][]float32

// Run computes every case on the model and compares it. The results come case by case, in the
// order of computation, so that the first that fails is where the computation goes wrong.
func (s *Suite) Run(m *models.Model, ws *tensor.Workspace, opts Options) ([]Result, Output, error) {
	out := Output{}
	groups := [][]*Case{s.Cases}
	if !opts.Batch {
		groups = nil
		for _, c := range s.Cases {
			groups = append(groups, []*Case{c})
		}
	}
	var results []Result
	for _, g := range groups {
		r := newRun(m, ws, g, out)
		if err := r.look(s); err != nil {
			return nil, nil, err
		}
		if err := r.prompts(opts); err != nil {
			return nil, nil, err
		}
		if err := r.greedy(); err != nil {
			return nil, nil, err
		}
		for i, c := range g {
			rs, err := s.compare(c, out, r.ids[i], m.Vocab)
			if err != nil {
				return nil, nil, err
			}
			results = append(results, rs...)
		}
	}
	return results, out, nil
}

// run feeds some cases as one batch.
type run struct {
	m     *models.Model
	ws    *tensor.Workspace
	cases []*Case
	batch models.Batch
	live  []int // the case of each sequence of the batch
	ids   [][]int32
	rows  []tensor.Mat // of each case's pictures, those not fed yet
	out   Output
}

func newRun(m *models.Model, ws *tensor.Workspace, cases []*Case, out Output) *run {
	r := &run{m: m, ws: ws, cases: cases, out: out, ids: make([][]int32, len(cases)), rows: make([]tensor.Mat, len(cases))}
	for i := range cases {
		r.batch.Seqs = append(r.batch.Seqs, models.Seq{State: m.NewState(), Want: models.WantAll})
		r.live = append(r.live, i)
	}
	return r
}

// look turns the cases' pictures into rows.
func (r *run) look(s *Suite) error {
	for i, c := range r.cases {
		if c.Pixels == "" {
			continue
		}
		tiles, side, err := s.tiles(c)
		if err != nil {
			return err
		}
		rows, err := r.m.TileRows(side)
		if err != nil {
			return err
		}
		r.rows[i] = tensor.NewMat((c.Tiles[1]-c.Tiles[0])*rows, r.m.Width)
		if err := r.m.Tiles(r.rows[i], tiles, side, r.ws); err != nil {
			return err
		}
	}
	return nil
}

// place takes the rows for a case's next tokens.
func (r *run) place(i int, ids []int32) (placed []models.Rows) {
	about, _ := r.m.Pictures()
	for at := 0; at < len(ids); at++ {
		if r.rows[i].Rows > 0 && ids[at] == about.Token {
			placed = append(placed, models.Rows{At: at, Mat: r.rows[i].Slice(0, 1)})
			r.rows[i] = r.rows[i].Slice(1, r.rows[i].Rows)
		}
	}
	return placed
}

// placed refuses pictures for which the prompts have too few tokens.
func (r *run) placed() error {
	for i, c := range r.cases {
		if n := r.rows[i].Rows; n > 0 {
			return fmt.Errorf("golden: case %s: %d rows of its pictures have no token", c.Name, n)
		}
	}
	return nil
}

// key names a computed tensor.
func (r *run) key(i int, of string) string { return r.cases[i].Name + "." + of }

// observe keeps the residual stream of every sequence.
func (r *run) observe(stage string, layer int, x tensor.Mat) {
	name := stage
	if stage == "block" {
		name = fmt.Sprintf("block.%d", layer)
	}
	row := 0
	for i := range r.batch.Seqs {
		for range r.batch.Seqs[i].IDs {
			r.append(i, name, x.Row(row))
			row++
		}
	}
}

func (r *run) append(i int, of string, row []float32) {
	k := r.key(r.live[i], of)
	r.out[k] = append(r.out[k], row...)
}

// prompts feeds the prompts, piece by piece.
func (r *run) prompts(opts Options) error {
	fed := make([]int, len(r.cases))
	r.batch.Observe = r.observe
	for step := 0; ; step++ {
		left := false
		for i, c := range r.cases {
			n := len(c.IDs) - fed[i]
			if opts.Split > 0 {
				n = min(n, opts.Split)
			}
			if opts.Pieces && step < len(c.Pieces) {
				n = min(n, c.Pieces[step])
			}
			r.batch.Seqs[i].IDs = c.IDs[fed[i] : fed[i]+n]
			r.batch.Seqs[i].Rows = r.place(i, r.batch.Seqs[i].IDs)
			fed[i] += n
			left = left || n > 0
		}
		if !left {
			r.batch.Observe = nil
			return r.placed()
		}
		if err := r.m.Forward(&r.batch, r.ws); err != nil {
			return err
		}
		for i, s := range r.batch.Seqs {
			for t := range s.IDs {
				r.append(i, "logits", r.batch.Logits.Row(s.Out+t))
			}
		}
	}
}

// greedy feeds the wanted continuations token by token and records the argmax before each.
func (r *run) greedy() error {
	for i := range r.cases {
		logits := r.out[r.key(i, "logits")]
		last := logits[len(logits)-r.m.Vocab:]
		r.append(i, "decode_logits", last)
		r.ids[i] = append(r.ids[i], int32(route.ArgMax(last)))
	}
	for step := 0; ; step++ {
		for i := len(r.batch.Seqs) - 1; i >= 0; i-- {
			if c := r.cases[r.live[i]]; step < len(c.Greedy) {
				r.batch.Seqs[i].IDs, r.batch.Seqs[i].Rows = c.Greedy[step:step+1], nil
			} else {
				r.batch.Seqs = slices.Delete(r.batch.Seqs, i, i+1)
				r.live = slices.Delete(r.live, i, i+1)
			}
		}
		if len(r.batch.Seqs) == 0 {
			return nil
		}
		if err := r.m.Forward(&r.batch, r.ws); err != nil {
			return err
		}
		for i, s := range r.batch.Seqs {
			row := r.batch.Logits.Row(s.Out)
			r.append(i, "decode_logits", row)
			r.ids[r.live[i]] = append(r.ids[r.live[i]], int32(route.ArgMax(row)))
		}
	}
}

// compare holds one case's tensors against the wanted ones, in the order of computation.
func (s *Suite) compare(c *Case, out Output, ids []int32, vocab int) ([]Result, error) {
	want := slices.Clone(c.Want)
	slices.SortStableFunc(want, func(a, b Want) int { return rank(a.Of) - rank(b.Of) })
	var results []Result
	for _, w := range want {
		r, err := s.compareTensor(c, w, out, vocab)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	if len(c.Greedy) > 0 {
		r := Result{Case: c.Name, Tensor: "greedy", Of: "greedy"}
		if i := mismatch(ids[:len(c.Greedy)], c.Greedy); i >= 0 {
			r.Note = fmt.Sprintf("token %d is %d, want %d (the margin of the reference is %.2g)", i, ids[i], c.Greedy[i], c.GreedyMargin)
		}
		results = append(results, r)
	}
	return results, nil
}

// rank orders tensors by when they are computed.
func rank(of string) int {
	var layer int
	switch {
	case of == "embed":
		return 0
	case of == "norm":
		return 1 << 20
	case of == "logits":
		return 1<<20 + 1
	}
	if n, _ := fmt.Sscanf(of, "block.%d", &layer); n == 1 {
		return 1 + layer
	}
	return 1<<20 + 2
}

// compareTensor compares one tensor.
func (s *Suite) compareTensor(c *Case, w Want, out Output, vocab int) (Result, error) {
	r := Result{Case: c.Name, Tensor: w.Tensor, Of: w.Of, Bound: w.Bound, Float32Error: w.Float32Error}
	want, err := s.values(w, vocab)
	if err != nil {
		return r, err
	}
	got, ok := out[c.Name+"."+w.Of]
	if !ok {
		return r, fmt.Errorf("golden: %s: of %q is not something a model computes", w.Tensor, w.Of)
	}
	last, err := w.last()
	if err != nil {
		return r, err
	}
	if last > 0 {
		width := len(want) / last
		got = got[max(0, len(got)-last*width):]
	}
	if w.Of == "decode_logits" {
		if w.First == "greedy" {
			got = got[len(got)/(len(c.Greedy)+1):] // row 0 follows the prompt
		}
		got = got[:min(len(got), len(want))]
	}
	if len(got) != len(want) {
		r.Note = fmt.Sprintf("%d numbers, want %d", len(got), len(want))
		return r, nil
	}
	for i := range want {
		if e := math.Abs(float64(got[i]) - float64(want[i])); !(e <= r.MaxError) {
			r.MaxError = e
		}
	}
	return r, nil
}

// mismatch returns the first index at which two lists differ, -1 if none.
func mismatch(a, b []int32) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}
