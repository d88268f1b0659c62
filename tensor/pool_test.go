package tensor

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// counting counts how often each part runs.
type counting struct{ ran []atomic.Int32 }

func (c *counting) Do(i int) { c.ran[i].Add(1) }

func TestPoolRunsEveryPartOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := NewPool(threads)
		for n := range 200 {
			c := &counting{make([]atomic.Int32, n)}
			p.Run(n, c)
			for i := range c.ran {
				if got := c.ran[i].Load(); got != 1 {
					t.Fatalf("%d threads: part %d of %d ran %d times", threads, i, n, got)
				}
			}
			if n%50 == 0 {
				time.Sleep(time.Millisecond) // let the workers fall asleep
			}
		}
		p.Close()
	}
}

func TestPoolServesConcurrentCallers(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := range 300 {
				c := &counting{make([]atomic.Int32, n)}
				p.Run(n, c)
				for i := range c.ran {
					if c.ran[i].Load() != 1 {
						t.Errorf("part %d of %d", i, n)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestPoolCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		p := NewPool(4)
		p.Run(8, &counting{make([]atomic.Int32, 8)})
		p.Close()
	}
	// A worker that has reported its end may be counted for a moment still.
	after := runtime.NumGoroutine()
	for end := time.Now().Add(time.Second); after > before && time.Now().Before(end); after = runtime.NumGoroutine() {
		runtime.Gosched()
	}
	if after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

// meeting is a task of two parts that wait for each other, so that two threads must take part.
type meeting struct{ arrived atomic.Int32 }

func (m *meeting) Do(int) {
	m.arrived.Add(1)
	for m.arrived.Load()%2 != 0 {
	}
}

// BenchmarkForkJoin is the cost of one parallel region without work: from one thread to two and back.
func BenchmarkForkJoin(b *testing.B) {
	p := NewPool(2)
	defer p.Close()
	b.ReportAllocs()
	task := new(meeting)
	for b.Loop() {
		p.Run(2, task)
	}
}
