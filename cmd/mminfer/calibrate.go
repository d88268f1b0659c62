package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
	"github.com/mminfer/mminfer/tokenizer"
)

// calibrationWindow is how many tokens are read from an empty state.
const calibrationWindow = 512

// calibration gathers the mean squares of the columns of what projections are multiplied with.
type calibration struct {
	names map[*tensor.Weight][]string // of the tensors a weight was packed of
	sums  map[string][]float64
	rows  map[string]int
}

// packed remembers what a weight was packed of.
func (c *calibration) packed(w *tensor.Weight, parts []tensor.Tensor) {
	for _, t := range parts {
		if name, _ := t.Origin(); name != "" {
			c.names[w] = append(c.names[w], name)
		}
	}
}

// watch adds the rows of one product.
func (c *calibration) watch(w *tensor.Weight, x tensor.Mat) {
	last := ""
	for _, name := range c.names[w] {
		if name == last {
			continue // several runs of rows of one tensor
		}
		last = name
		sums := c.sums[name]
		if sums == nil {
			sums = make([]float64, x.Cols)
			c.sums[name] = sums
		}
		if c.rows[name] += x.Rows; len(sums) != x.Cols {
			continue
		}
		for i := range x.Rows {
			for j, v := range x.Row(i) {
				sums[j] += float64(v) * float64(v)
			}
		}
	}
}

// importance returns the mean squares by name. A hundredth of their mean is added: columns that the
// text did not use may matter in another.
func (c *calibration) importance() map[string][]float32 {
	all := map[string][]float32{}
	for name, sums := range c.sums {
		mean, v := 0.0, make([]float32, len(sums))
		for _, s := range sums {
			mean += s / float64(len(sums))
		}
		for j, s := range sums {
			v[j] = float32((s + mean/100) / float64(c.rows[name]))
		}
		all[name] = v
	}
	return all
}

// calibrate runs the model in its own precision on the text.
func (q *quantizing) calibrate(ctx context.Context, dir string, ck *loader.Checkpoint, pool *tensor.Pool) (map[string][]float32, error) {
	text, err := os.ReadFile(q.calibration)
	if err != nil {
		return nil, err
	}
	tok, err := openTokenizer(dir)
	if err != nil {
		return nil, err
	}
	ids := tok.Encode(nil, string(text), tokenizer.EncodeOptions{})
	if ids = ids[:min(len(ids), q.tokens.value)]; len(ids) == 0 {
		return nil, fmt.Errorf("%s: the text has no tokens", q.calibration)
	}
	c := &calibration{map[*tensor.Weight][]string{}, map[string][]float64{}, map[string]int{}}
	m, err := models.New(ck, models.Options{Pool: pool, OnPacked: c.packed})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	bar := q.bar("reading the text", time.Second, tokensText)
	defer bar.done()
	ws := &tensor.Workspace{Pool: pool, Watch: c.watch}
	for at := 0; at < len(ids); at += calibrationWindow {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := models.Batch{Seqs: []models.Seq{{IDs: ids[at:min(at+calibrationWindow, len(ids))], State: m.NewState(), Want: models.WantAll}}}
		if err := m.Forward(&b, ws); err != nil {
			return nil, err
		}
		bar.set(int64(at), int64(len(ids)))
	}
	return c.importance(), nil
}
