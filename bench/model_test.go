// Package bench measures whole models: prefill, decode at depth, several sessions at once.
//
// The checkpoints have real shapes and random weights. They are written once, by the benchmark,
// to the directory that the environment variable MMINFER_BENCH names, or to a temporary one:
//
//	go test ./bench -bench Model/arch=mom-340m -benchtime 1x
package bench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/mminfer/mminfer/internal/synth"
	"github.com/mminfer/mminfer/kernels/peak"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// BenchmarkModel reports, for each shape and format, tok/s of prefill and of decode at depth, and
// for decode the share of the memory bandwidth that one thread per core reads in the same run.
func BenchmarkModel(b *testing.B) {
	for _, arch := range synth.Presets() {
		b.Run("arch="+arch, func(b *testing.B) {
			dir := checkpoint(b, arch)
			for _, format := range []tensor.Format{tensor.FormatBF16, tensor.FormatQ8, tensor.FormatQ4} {
				b.Run("quant="+format.String(), func(b *testing.B) { benchModel(b, dir, format) })
			}
		})
	}
}

// checkpoint returns the directory of a synthetic model.
func checkpoint(b *testing.B, arch string) string {
	root := os.Getenv("MMINFER_BENCH")
	if root == "" {
		root = b.TempDir()
	}
	dir := filepath.Join(root, arch)
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil {
		config, err := synth.Preset(arch)
		if err == nil {
			err = synth.Write(b.Context(), dir, config, synth.Options{Type: tensor.BF16})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// bench is a loaded model with its pool.
type bench struct {
	m  *models.Model
	ws *tensor.Workspace
	r  *rand.Rand
}

// load opens a checkpoint with a thread per core, until the benchmark ends.
func load(b *testing.B, dir string, opts models.Options) *bench {
	pool := tensor.NewPool(runtime.GOMAXPROCS(0))
	b.Cleanup(pool.Close)
	opts.Pool = pool
	ck, err := loader.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ck.Close() })
	m, err := models.New(ck, opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Close() })
	return &bench{m, &tensor.Workspace{Pool: pool}, rand.New(rand.NewPCG(1, 1))}
}

func benchModel(b *testing.B, dir string, format tensor.Format) {
	x := load(b, dir, models.Options{Format: format})
	b.Run("test=pp512", func(b *testing.B) { x.prefill(b, 512) })
	for _, depth := range []int{0, 1024, 4096} {
		b.Run(fmt.Sprintf("test=tg@%d", depth), func(b *testing.B) { x.decode(b, 1, depth) })
	}
	b.Run("test=tg/sessions=8", func(b *testing.B) { x.decode(b, 8, 0) })
}

// BenchmarkDepth decodes at depth 0 and at depth 32768 in turns, 16 tokens each, and reports both
// medians and the median of the rounds' ratios.
func BenchmarkDepth(b *testing.B) {
	for _, arch := range synth.Presets() {
		b.Run("arch="+arch, func(b *testing.B) {
			x := load(b, checkpoint(b, arch), models.Options{Format: tensor.FormatBF16})
			shallow, deep := x.one(), x.one()
			x.feed(b, deep, x.tokens(32768))
			x.feed(b, shallow, x.tokens(8)) // to touch its pages
			var at0, at32k, ratio []float64
			for b.Loop() {
				near, far := x.round(b, shallow), x.round(b, deep)
				at0, at32k, ratio = append(at0, 16/near), append(at32k, 16/far), append(ratio, near/far)
			}
			b.ReportMetric(median(at0), "tok/s@0")
			b.ReportMetric(median(at32k), "tok/s@32k")
			b.ReportMetric(median(ratio), "32k/0")
			b.ReportMetric(float64(x.m.NewState().Bytes()), "state-bytes")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// round returns the seconds of 16 single-token steps.
func (x *bench) round(b *testing.B, batch *models.Batch) float64 {
	ids := x.tokens(16)
	start := time.Now()
	for i := range ids {
		x.feed(b, batch, ids[i:i+1])
	}
	return time.Since(start).Seconds()
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// tokens returns n random ids.
func (x *bench) tokens(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(x.r.IntN(x.m.Vocab))
	}
	return ids
}

// one returns a batch of a new sequence.
func (x *bench) one() *models.Batch {
	return &models.Batch{Seqs: []models.Seq{{State: x.m.NewState(), Want: models.WantLast}}}
}

// feed absorbs ids in pieces of 512 and wants the last logits. Any goroutine may call it.
func (x *bench) feed(b *testing.B, batch *models.Batch, ids []int32) {
	for len(ids) > 0 {
		n := min(512, len(ids))
		batch.Seqs[0].IDs, ids = ids[:n], ids[n:]
		if err := x.m.Forward(batch, x.ws); err != nil {
			b.Error(err)
			return
		}
	}
}

func (x *bench) prefill(b *testing.B, n int) {
	ids := x.tokens(n)
	for b.Loop() {
		x.feed(b, x.one(), ids)
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "tok/s")
	b.ReportMetric(0, "ns/op")
}

// decode measures single-token steps of several sessions at once, after depth tokens.
func (x *bench) decode(b *testing.B, sessions, depth int) {
	batch := &models.Batch{}
	for range sessions {
		batch.Seqs = append(batch.Seqs, models.Seq{State: x.m.NewState(), Want: models.WantLast})
	}
	if depth > 0 {
		x.feed(b, batch, x.tokens(depth))
	}
	step := func() {
		for s := range batch.Seqs {
			batch.Seqs[s].IDs = x.tokens(1)
		}
		if err := x.m.Forward(batch, x.ws); err != nil {
			b.Fatal(err)
		}
	}
	for range 8 { // every memory's pages are touched
		step()
	}
	b.ResetTimer()
	for b.Loop() {
		step()
	}
	rate := float64(sessions*b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "tok/s")
	b.ReportMetric(0, "ns/op")
	if sessions == 1 {
		b.ReportMetric(100*rate*float64(x.m.BytesPerStep())/bandwidth(x.ws.Pool), "%bandwidth")
	}
}

// reading is the task of reading a buffer on every thread.
type reading struct{ parts [][]byte }

func (r *reading) Do(i int) { peak.Read(r.parts[i]) }

// bandwidth returns the best bytes per second of a few passes over a buffer larger than the caches.
func bandwidth(pool *tensor.Pool) float64 {
	buf := make([]byte, 256<<20)
	for i := 0; i < len(buf); i += 4096 {
		buf[i] = 1
	}
	r := &reading{}
	const part = 4 << 20
	for at := 0; at < len(buf); at += part {
		r.parts = append(r.parts, buf[at:at+part])
	}
	best := 0.0
	for range 8 {
		start := time.Now()
		pool.Run(len(r.parts), r)
		best = max(best, float64(len(buf))/time.Since(start).Seconds())
	}
	return best
}
