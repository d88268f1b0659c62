// Package kerneltest runs one test on every implementation of a kernel and demands the same
// bits from all of them.
//
// The portable code runs first and its outputs are kept; each assembly implementation then
// repeats the same steps on the same inputs. Inputs lie between NaN fences (and, in a second
// pass, against a page that cannot be read), outputs are filled with a NaN of a known payload
// between canaries, so an over-read, an over-write and an element left unwritten all fail.
package kerneltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/kernels"
)

// RequireEnv names instruction sets, separated by commas, that the machine must be able to test:
// where one is missing the tests fail instead of skipping.
const RequireEnv = "MMINFER_REQUIRE_ISA"

// fence is the number of elements on either side of a fenced buffer.
const fence = 32

// hole is the bit pattern that fills outputs: a quiet NaN no arithmetic produces.
const hole = 0x7fc0dead

// H is one implementation's run through a test.
type H struct {
	*testing.T
	Rand    *rand.Rand // the same stream for every implementation
	ISA     string     // "portable", "AVX2", ...
	guarded bool
	arena   *arena
	buffers []buffer
	record  *record
}

// record keeps what the portable code wrote, in order.
type record struct {
	outputs [][]uint32
	labels  []string
	next    int
}

// buffer is a slice under watch.
type buffer interface {
	intact() string   // "" or what was smashed
	output() []uint32 // nil for an input
}

// All runs test once per implementation of kernel.
func All(t *testing.T, kernel string, test func(h *H)) {
	t.Helper()
	rec := new(record)
	known := false
	passes(t, kernel, "portable", true, rec, test)
	for _, impl := range kernels.Implementations() {
		if impl.Kernel != kernel {
			continue
		}
		known = true
		passes(t, kernel, impl.ISA, impl.Supported, rec, test)
	}
	// Every kernel has assembly for amd64; elsewhere the portable code may have to serve.
	if !known && !kernels.PureGo && runtime.GOARCH == "amd64" {
		t.Errorf("kerneltest: %s has no registered implementation", kernel)
	}
}

// passes runs test for one implementation, first between fences, then against guard pages.
func passes(t *testing.T, kernel, isa string, supported bool, rec *record, test func(h *H)) {
	t.Run(isa, func(t *testing.T) {
		if !supported {
			if slices.Contains(strings.Split(os.Getenv(RequireEnv), ","), isa) {
				t.Fatalf("%s: this machine cannot run %s and %s demands it", kernel, isa, RequireEnv)
			}
			t.Skipf("%s: this machine cannot run %s", kernel, isa)
		}
		defer kernels.Select(kernel, isa)()
		for _, guarded := range []bool{false, true} {
			if guarded && !guardPages {
				continue
			}
			h := &H{T: t, Rand: rand.New(rand.NewPCG(1, 2)), ISA: isa, guarded: guarded, record: rec}
			if guarded {
				h.arena = newArena(t)
			}
			rec.next = 0
			test(h)
			if rec.next != len(rec.outputs) {
				t.Fatalf("%s %s: %d outputs checked, the portable code had %d", kernel, isa, rec.next, len(rec.outputs))
			}
		}
	})
}

// Check ends a step: it verifies every fence, that inputs are unchanged and outputs wholly
// written, and that the outputs' bits are those of the portable code (any NaN equals any NaN).
func (h *H) Check(format string, args ...any) {
	h.Helper()
	label := fmt.Sprintf(format, args...)
	for i, b := range h.buffers {
		if s := b.intact(); s != "" {
			h.Fatalf("%s %s: buffer %d: %s", h.ISA, label, i, s)
		}
		if out := b.output(); out != nil {
			h.compare(label, i, out)
		}
	}
	h.buffers = h.buffers[:0]
	if h.arena != nil {
		h.arena.next = 0
	}
}

// compare holds one output against the record, or adds it while the portable code runs.
func (h *H) compare(label string, buf int, out []uint32) {
	h.Helper()
	r := h.record
	if r.next == len(r.outputs) && h.ISA == "portable" && !h.guarded {
		r.outputs, r.labels = append(r.outputs, out), append(r.labels, label)
		r.next++
		return
	}
	if r.next >= len(r.outputs) || r.labels[r.next] != label {
		h.Fatalf("%s %s: step not taken by the portable code", h.ISA, label)
	}
	want := r.outputs[r.next]
	r.next++
	if len(want) != len(out) {
		h.Fatalf("%s %s: buffer %d has %d elements, the portable code's had %d", h.ISA, label, buf, len(out), len(want))
	}
	for i := range out {
		if out[i] != want[i] && !(isNaN(out[i]) && isNaN(want[i])) {
			h.Fatalf("%s %s: buffer %d element %d of %d: %s, the portable code has %s",
				h.ISA, label, buf, i, len(out), show(out[i]), show(want[i]))
		}
	}
}

func isNaN(bits uint32) bool { return bits&0x7f800000 == 0x7f800000 && bits&0x007fffff != 0 }

func show(bits uint32) string {
	return fmt.Sprintf("%g (%#08x)", math.Float32frombits(bits), bits)
}

// Within demands !(|got-want| > bound) for every element, written so that a NaN fails.
func (h *H) Within(label string, got []float32, want func(i int) (value, bound float64)) {
	h.Helper()
	for i, g := range got {
		w, bound := want(i)
		if !(math.Abs(float64(g)-w) <= bound) && !(math.IsNaN(w) && g != g) && float64(g) != w {
			h.Fatalf("%s %s: element %d: got %g, want %g within %g (off by %g)",
				h.ISA, label, i, g, w, bound, math.Abs(float64(g)-w))
		}
	}
}

// Reseed restarts the stream of random numbers.
func (h *H) Reseed(seed uint64) { h.Rand = rand.New(rand.NewPCG(seed, 2)) }

// Bench runs a benchmark once per usable implementation, named name/impl=ISA.
func Bench(b *testing.B, kernel, name string, run func(b *testing.B)) {
	isas := []string{"portable"}
	for _, impl := range kernels.Implementations() {
		if impl.Kernel == kernel && impl.Supported {
			isas = append(isas, impl.ISA)
		}
	}
	for _, isa := range isas {
		b.Run(name+"/impl="+isa, func(b *testing.B) {
			defer kernels.Select(kernel, isa)()
			run(b)
		})
	}
}
