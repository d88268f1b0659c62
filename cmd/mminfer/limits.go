package main

import (
	"context"
	"sync"
	"time"

	"github.com/klauspost/cpuid/v2"

	"github.com/mminfer/mminfer/kernels/peak"
	"github.com/mminfer/mminfer/tensor"
)

// limits are what the processor can do at most, measured.
type limits struct {
	Threads int     `json:"threads"`
	Read    float64 `json:"read_gb_s"`   // from memory, GB/s
	FMA     float64 `json:"fma_gflop_s"` // float32
	Int8    float64 `json:"int8_gop_s"`
}

// measureLimits measures for about a second. It needs memory that the caches cannot hold.
func measureLimits(ctx context.Context, threads int) (limits, error) {
	l := limits{Threads: threads}
	var arena tensor.Arena
	defer arena.Free()
	memory := arena.Bytes(max(256<<20, min(4*cpuid.CPU.Cache.L3, 1<<30)))
	for i := 0; i < len(memory); i += 4096 { // pages of zeros may all be one
		memory[i] = byte(i >> 12)
	}
	// Short rounds find moments in which nobody else computes; each reads memory that the caches
	// have long forgotten.
	share := readRound / threads &^ 63
	at := make([]int, threads)
	l.Read = best(ctx, threads, func(i int) int {
		from := (at[i]*threads + i) * share
		peak.Read(memory[from : from+share])
		at[i] = (at[i] + 1) % (len(memory) / readRound)
		return share
	})
	l.FMA = best(ctx, threads, func(int) int { return peak.FMA(rounds) })
	l.Int8 = best(ctx, threads, func(int) int { return peak.Dot8(rounds) })
	return l, ctx.Err()
}

// A round of a probe takes about a millisecond.
const (
	rounds    = 500_000
	readRound = 64 << 20 // bytes
)

// best returns the highest rate, in billions a second, at which threads do work(i) at the same
// time, over 300 ms.
func best(ctx context.Context, threads int, work func(i int) int) float64 {
	var rate float64
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end) && ctx.Err() == nil; {
		done := make([]int, threads)
		var wg sync.WaitGroup
		start := time.Now()
		for i := 1; i < threads; i++ {
			wg.Go(func() { done[i] = work(i) })
		}
		done[0] = work(0)
		wg.Wait()
		elapsed := time.Since(start).Seconds()
		sum := 0
		for _, n := range done {
			sum += n
		}
		rate = max(rate, float64(sum)/elapsed/1e9)
	}
	return rate
}
