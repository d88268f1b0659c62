package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// benchRunner computes with some sequences at once.
type benchRunner struct {
	m      *models.Model
	ws     tensor.Workspace
	batch  models.Batch
	starts []*models.State // at the depth of a test
	ids    []int32         // random, benchIDs and a piece more
}

// A piece of a prompt has benchPiece rows. Every sequence walks around a ring of benchIDs tokens.
const (
	benchPiece = 512
	benchIDs   = 1 << 16
)

func newBenchRunner(m *models.Model, pool *tensor.Pool, sessions int) *benchRunner {
	r := &benchRunner{m: m, ws: tensor.Workspace{Pool: pool}}
	random := rand.New(rand.NewPCG(1, 2))
	for range benchIDs + benchPiece {
		r.ids = append(r.ids, int32(random.IntN(m.Vocab)))
	}
	for range sessions {
		r.batch.Seqs = append(r.batch.Seqs, models.Seq{State: m.NewState()})
		r.starts = append(r.starts, m.NewState())
	}
	return r
}

// measure runs a test and fills in its rate. Every repetition begins at the same states.
func (b *bench) measure(ctx context.Context, r *benchRunner, t benchTest, row *benchRow) error {
	if err := r.descend(ctx, t.depth, b.skip); err != nil {
		return err
	}
	row.StateBytes = r.starts[0].Bytes() // later its pages are shared
	warm := t
	if !t.prompt {
		warm.n = min(t.n, 4)
	}
	r.reset(warm.n)
	if err := r.run(ctx, warm); err != nil {
		return err
	}
	var rates []float64
	var cpu float64
	known := true
	for rep := range row.Reps {
		b.status.draw(fmt.Sprintf("%s: repetition %d of %d", t.name, rep+1, row.Reps))
		r.reset(t.n)
		runtime.GC()
		before, _ := cpuSeconds()
		start := time.Now()
		if err := r.run(ctx, t); err != nil {
			return err
		}
		elapsed := time.Since(start).Seconds()
		after, ok := cpuSeconds()
		cpu, known = cpu+after-before, known && ok
		rates = append(rates, float64(t.n*len(r.starts))/elapsed)
	}
	row.Test, row.Skipped = t.name, b.skip && t.depth > 0
	row.Rate, row.Deviation = mean(rates)
	if known {
		row.CPU = &cpu
	}
	return nil
}

// descend brings the states that tests begin with to a depth, with or without computing it.
func (r *benchRunner) descend(ctx context.Context, depth int, skip bool) (err error) {
	for i := range r.starts {
		r.starts[i] = r.m.NewState()
		r.batch.Seqs[i].State = r.starts[i]
	}
	if skip {
		for _, s := range r.starts {
			s.Skip(depth)
		}
	} else {
		err = r.feed(ctx, depth, models.WantNone)
	}
	for i := range r.starts {
		r.batch.Seqs[i].State = r.m.NewState()
	}
	return err
}

// reset puts every sequence at its start, with room for n tokens.
func (r *benchRunner) reset(n int) {
	for i := range r.starts {
		s := r.batch.Seqs[i].State
		s.CopyFrom(r.starts[i])
		s.Reserve(n)
	}
}

// run does the work of a test once.
func (r *benchRunner) run(ctx context.Context, t benchTest) error {
	if t.prompt {
		return r.feed(ctx, t.n, models.WantLast)
	}
	for step := range t.n {
		if err := r.forward(ctx, step, 1, models.WantLast); err != nil {
			return err
		}
	}
	return nil
}

// feed absorbs n tokens of every sequence in pieces. The last piece wants what is
// asked for.
func (r *benchRunner) feed(ctx context.Context, n int, want models.Want) error {
	piece := max(1, benchPiece/len(r.starts))
	for at := 0; at < n; at += piece {
		now := models.WantNone
		if at+piece >= n {
			now = want
		}
		if err := r.forward(ctx, at, min(piece, n-at), now); err != nil {
			return err
		}
	}
	return nil
}

// forward absorbs n random tokens of every sequence.
func (r *benchRunner) forward(ctx context.Context, at, n int, want models.Want) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i := range r.batch.Seqs {
		from := (i*7919 + at) % benchIDs
		r.batch.Seqs[i].IDs, r.batch.Seqs[i].Want = r.ids[from:from+n], want
	}
	return r.m.Forward(&r.batch, &r.ws)
}

// shares fills in what a row says about the machine's limits.
func (row *benchRow) shares(m *models.Model, t benchTest, l limits) {
	if t.prompt {
		layers, _ := m.MulAddsPerStep()
		switch {
		case strings.HasPrefix(row.Quant, "q"):
			row.Peak = l.Int8
		case row.Quant != tensor.FormatBF16Dot.String(): // whose limit is not measured
			row.Peak = l.FMA
		}
		if row.Peak > 0 {
			row.Share = 2 * float64(layers) * row.Rate / 1e9 / row.Peak
		}
		return
	}
	if row.Sessions > 1 {
		return // what they share of the weights depends on their tokens
	}
	row.BytesPerToken = m.BytesPerStep() + int64(m.BytesPerToken()*(t.depth+t.n/2))
	if row.Peak = l.Read; row.Peak > 0 {
		row.Share = float64(row.BytesPerToken) * row.Rate / 1e9 / row.Peak
	}
}
