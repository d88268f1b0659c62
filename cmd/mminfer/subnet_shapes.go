package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/klauspost/cpuid/v2"
	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

// shapes are the shapes of a model, as the commands of subnet take them.
type shapes struct {
	*app
	dir     string
	threads *whole
	quant   *format
	flags   *subnetFlags

	ck      *loader.Checkpoint
	family  *subnet.Family
	pool    *tensor.Pool
	weights subnet.Weights // that all shapes share
	embed   int64          // bytes of the embedding
}

func newShapes(a *app, c *cobra.Command) *shapes {
	s := &shapes{app: a}
	modelFlag(c, &s.dir)
	s.threads, s.quant = threadsFlag(c), quantFlag(c)
	s.flags = newSubnetFlags(c)
	return s
}

// open opens the model and what makes it many.
func (s *shapes) open() (err error) {
	if s.flags.strategy == "" && s.flags.adapter == "" && s.flags.layers.layers == nil {
		return usagef("there is nothing to make subnets of: give --strategy, from subnet select, or --layers")
	}
	s.pool = tensor.NewPool(s.threads.value)
	if s.ck, err = openCheckpoint(s.dir); err != nil {
		return err
	}
	s.family, err = subnet.Open(s.ck, s.flags.adapter, s.flags.strategy)
	return err
}

// close frees everything.
func (s *shapes) close() {
	s.weights.Free()
	if s.family != nil {
		_ = s.family.Close() // it was only read
	}
	if s.ck != nil {
		_ = s.ck.Close()
	}
	if s.pool != nil {
		s.pool.Close()
	}
}

// shapeModel is a shape in memory.
type shapeModel struct {
	*models.Model
	cut  *subnet.Subnet
	made time.Duration // that building it took
}

// build makes a shape on the weights that all share.
func (s *shapes) build(shape subnet.Shape) (*shapeModel, error) {
	start := time.Now()
	cut, err := s.family.Cut(shape, subnet.Options{
		Format: s.quant.Format, Factored: s.family.Adapted(), Weights: &s.weights, Gates: s.flags.experts(), GateSeed: s.flags.gateSeed(), Depth: s.flags.layers.layers,
	})
	if err != nil {
		return nil, err
	}
	m, err := models.New(cut, models.Options{Format: s.quant.Format, Pool: s.pool})
	if err != nil {
		return nil, err
	}
	return &shapeModel{m, cut, time.Since(start)}, nil
}

// row describes a shape.
func (s *shapes) row(b *shapeModel) shapeRow {
	if s.embed == 0 {
		t, _ := b.cut.Tensor("model.embed_tokens.weight")
		s.embed = int64(len(t.Data))
	}
	r := shapeRow{Shape: b.cut.Shape.String(), Layers: b.Layers(), Params: b.Params, Bytes: b.BytesPerStep() + s.embed, step: b.BytesPerStep(), shape: b.cut.Shape}
	if s.family.Adapted() {
		trained := s.family.Trained(b.cut.Shape)
		r.Trained = &trained
	}
	return r
}

// timing is how long tokens of a shape take.
type timing struct {
	Layers  int     `json:"layers"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"` // the least of all rounds
	CPU     float64 `json:"cpu"`     // processor time, 0 where it is not known
}

// What is measured: tokens after a prompt, of all shapes in turn, several times.
const (
	timedPrompt = 32
	timedTokens = 16
	timedRounds = 5
)

// time measures shapes in turns, so that what else the machine does falls on all of them.
func (s *shapes) time(ctx context.Context, list []*shapeModel, rounds int) ([]timing, error) {
	times := make([]timing, len(list))
	ws := &tensor.Workspace{Pool: s.pool}
	bar := s.bar("measuring shapes", time.Second, func(n int64) string { return fmt.Sprintf("%d measurements", n) })
	defer bar.done()
	for round := range rounds {
		for i, b := range list {
			wall, cpu, err := timeTokens(ctx, b.Model, ws)
			if err != nil {
				return nil, err
			}
			if round == 0 || wall < times[i].Seconds {
				times[i].Seconds = wall
			}
			if round == 0 || cpu < times[i].CPU {
				times[i].CPU = cpu
			}
			times[i].Layers, times[i].Bytes = b.Layers(), b.BytesPerStep()
			bar.set(int64(round*len(list)+i+1), int64(rounds*len(list)))
		}
	}
	return times, nil
}

// timeTokens returns the seconds of a token after a prompt, and those of processors.
func timeTokens(ctx context.Context, m *models.Model, ws *tensor.Workspace) (wall, cpu float64, err error) {
	ids := make([]int32, timedPrompt)
	for i := range ids {
		ids[i] = int32((i*7919 + 11) % m.Vocab)
	}
	state := m.NewState()
	state.Reserve(timedPrompt + timedTokens)
	b := models.Batch{Seqs: []models.Seq{{IDs: ids, State: state}}}
	if err := m.Forward(&b, ws); err != nil {
		return 0, 0, err
	}
	b.Seqs[0].IDs, b.Seqs[0].Want = ids[:1], models.WantLast
	before, _ := cpuSeconds()
	start := time.Now()
	for range timedTokens {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		if err := m.Forward(&b, ws); err != nil {
			return 0, 0, err
		}
	}
	after, _ := cpuSeconds()
	return time.Since(start).Seconds() / timedTokens, (after - before) / timedTokens, nil
}

// timingsFile is what was measured, of every machine, model and way to run it.
type timingsFile map[string][]timing

const timingsName = "timings.json"

// timingsKey names machine, model and how it is run.
func (s *shapes) timingsKey() string {
	return fmt.Sprintf("%s, %s, %d threads, %s, %s %d bytes", cpuid.CPU.BrandName, widestISA(), s.threads.value, formatName(s.ck, s.quant.Format), modelName(s.dir), s.ck.Bytes())
}

// timingsPath is the file of timings, beside the strategy; "" if there is no place.
func (s *shapes) timingsPath() string {
	if info, err := os.Stat(s.flags.strategy); err == nil && info.IsDir() {
		return filepath.Join(s.flags.strategy, timingsName)
	}
	return ""
}

// timeModel returns the prediction of times: from what was measured before, or of a grid that is
// measured now if that is wanted or anew; nil if there is none.
func (s *shapes) timeModel(ctx context.Context, measure, anew bool) (*subnet.TimeModel, error) {
	file, path := timingsFile{}, s.timingsPath()
	if data, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(data, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	times := file[s.timingsKey()]
	if times == nil && !measure {
		return nil, nil
	}
	if times == nil || anew {
		var err error
		if times, err = s.timeGrid(ctx); err != nil {
			return nil, err
		}
		file[s.timingsKey()] = times
		if path != "" {
			if err := s.replaceFile(path, func(w io.Writer) error { return writeJSON(w, file) }); err != nil {
				return nil, err
			}
		}
	}
	var of []subnet.Timing
	for _, t := range times {
		of = append(of, subnet.Timing{Layers: t.Layers, Bytes: t.Bytes, Seconds: t.Seconds})
	}
	m, err := subnet.FitTimes(of)
	return &m, err
}

// timeGrid measures a grid of shapes.
func (s *shapes) timeGrid(ctx context.Context) (times []timing, err error) {
	var list []*shapeModel
	defer func() {
		for _, b := range list {
			b.Close()
		}
	}()
	for _, shape := range s.family.Corners() {
		b, err := s.build(shape)
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	runtime.GC()
	return s.time(ctx, list, timedRounds)
}

// each builds the shapes one after another.
func (s *shapes) each(list []subnet.Shape, f func(b *shapeModel) error) error {
	for _, shape := range list {
		b, err := s.build(shape)
		if err != nil {
			return err
		}
		err = f(b)
		b.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// chosen returns the shapes of a flag, or all.
func (s *shapes) chosen(flag *list[shapeFlag, *shapeFlag]) (shapes []subnet.Shape, err error) {
	if s.flags.layers.layers != nil {
		if len(flag.values) == 0 {
			return []subnet.Shape{s.family.Whole()}, nil
		}
	} else if len(flag.values) == 0 {
		return s.family.Shapes(), nil
	}
	var errs []error
	for _, v := range flag.values {
		shape := v.Shape
		if s.flags.layers.layers == nil {
			shape, err = s.family.Resolve(v.Shape)
			errs = append(errs, err)
		}
		shapes = append(shapes, shape)
	}
	return shapes, errors.Join(errs...)
}
