package bench

import (
	"sync"
	"testing"
	"time"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// BenchmarkEngines decodes with one model and with two at once, in turns, each with a pool of a thread per core, and reports the
// medians of tokens per second, of both together, and of their ratio in a round. Where pools get in each other's way it falls below 1.
func BenchmarkEngines(b *testing.B) {
	for _, arch := range []string{"llama-135m", "mamba2-130m"} {
		b.Run("arch="+arch, func(b *testing.B) {
			dir := checkpoint(b, arch)
			engines := [2]*bench{load(b, dir, models.Options{Format: tensor.FormatQ8}), load(b, dir, models.Options{Format: tensor.FormatQ8})}
			batches := [2]*models.Batch{engines[0].one(), engines[1].one()}
			both := func() {
				var wg sync.WaitGroup
				for i, x := range engines {
					wg.Go(func() { x.round(b, batches[i]) })
				}
				wg.Wait()
			}
			both() // to touch the pages
			var alone, together, ratio []float64
			for b.Loop() {
				one := 16 / engines[0].round(b, batches[0])
				start := time.Now()
				both()
				two := 32 / time.Since(start).Seconds()
				alone, together, ratio = append(alone, one), append(together, two), append(ratio, two/one)
			}
			b.ReportMetric(median(alone), "tok/s-alone")
			b.ReportMetric(median(together), "tok/s-together")
			b.ReportMetric(median(ratio), "together/alone")
			b.ReportMetric(0, "ns/op")
		})
	}
}
