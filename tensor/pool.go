package tensor

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Task is work in independent parts.
type Task interface {
	// Do runs part i. Parts run at the same time, in any order.
	Do(i int)
}

// Pool runs tasks on a fixed number of threads, the caller's included. Between tasks its workers
// spin for some microseconds, then sleep. A nil *Pool runs everything on the caller.
type Pool struct {
	threads int
	busy    atomic.Bool // a task is running; others run on their callers

	// work holds the number of the current task in its upper half and the parts not yet claimed
	// in its lower half, so that claiming a part proves the task to be the one seen.
	work    atomic.Uint64
	pending atomic.Int64 // parts not yet finished
	task    Task
	parts   int

	sleepers atomic.Int32
	wake     chan struct{}
	closed   atomic.Bool
	workers  sync.WaitGroup
}

// spins is how often an idle worker looks for work before it sleeps: some 50 µs, longer than the
// serial stretches between the parallel regions of one token.
const spins = 20_000

// NewPool starts a pool of the given number of threads, at least 1. Close stops it.
func NewPool(threads int) *Pool {
	p := &Pool{threads: max(threads, 1)}
	p.wake = make(chan struct{}, p.threads)
	for range p.threads - 1 {
		p.workers.Add(1)
		go p.worker()
	}
	return p
}

// Threads returns the number of threads, 1 for a nil pool.
func (p *Pool) Threads() int {
	if p == nil {
		return 1
	}
	return p.threads
}

// Run runs parts 0 to n-1 of a task and returns when all are done. If the pool is at work
// already, or n is 1, the caller runs them alone. It does not allocate.
func (p *Pool) Run(n int, task Task) {
	if n <= 0 {
		return
	}
	if p.Threads() == 1 || n == 1 || !p.busy.CompareAndSwap(false, true) {
		for i := range n {
			task.Do(i)
		}
		return
	}
	p.task, p.parts = task, n
	p.pending.Store(int64(n))
	number := p.work.Load()>>32 + 1
	p.work.Store(number<<32 | uint64(n))
	for range min(int(p.sleepers.Load()), n-1) {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	p.share(number)
	for i := 0; p.pending.Load() > 0; i++ {
		if i%256 == 255 {
			runtime.Gosched() // a part's thread may have lost its processor
		}
	}
	p.task = nil
	p.busy.Store(false)
}

// share claims and runs parts of the task with the given number until none is left.
func (p *Pool) share(number uint64) {
	for {
		w := p.work.Load()
		left := w & 0xffffffff
		if w>>32 != number&0xffffffff || left == 0 {
			return
		}
		if p.work.CompareAndSwap(w, w-1) {
			p.task.Do(p.parts - int(left))
			p.pending.Add(-1)
		}
	}
}

// worker waits for tasks until the pool is closed.
func (p *Pool) worker() {
	defer p.workers.Done()
	var seen uint64 // the number of the last task looked at; a new pool has none
	for idle := 0; ; idle++ {
		w := p.work.Load()
		switch {
		case w>>32 != seen:
			seen = w >> 32
			p.share(seen)
			idle = 0
		case p.closed.Load():
			return
		case idle > spins:
			// Announce the sleep, then look once more: Run publishes first and counts sleepers after.
			p.sleepers.Add(1)
			if p.work.Load()>>32 == seen && !p.closed.Load() {
				<-p.wake
			}
			p.sleepers.Add(-1)
			idle = 0
		}
	}
}

// Close stops the workers and waits for them. No task may run during or after it.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	p.closed.Store(true)
	for range p.threads - 1 {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	p.workers.Wait()
}
