package tensor

import "testing"

// TestWorkspaceRoom: what a workspace keeps is little more than what was held at a time, in one chunk, and small ones have room to grow.
func TestWorkspaceRoom(t *testing.T) {
	var w Workspace
	sizes := []int{100, 1 << 18, 5 << 20, 3 << 20, 9 << 20, 1 << 12}
	for round := range 2 {
		held, most := 0, 0
		start := w.Mark()
		for i, n := range sizes {
			m := w.Mark()
			for j, v := range w.Floats(n) {
				if round == 0 && v != 0 {
					t.Fatalf("element %d of fresh memory is %v", j, v)
				}
			}
			held += n
			most = max(most, held)
			if i%2 == 1 {
				w.Release(m)
				held -= n
			}
		}
		w.Release(start)
		if len(w.chunks) != 1 || len(w.chunks[0]) < most || len(w.chunks[0]) > most+roomFloats+alignment*len(sizes) {
			t.Fatalf("round %d: %d chunks, the first of %d floats; %d were held", round, len(w.chunks), len(w.chunks[0]), most)
		}
	}
	one := &w.chunks[0][0]
	w.Floats(20)
	if w.Floats(w.most - 64); len(w.chunks) != 1 || &w.chunks[0][0] != one {
		t.Error("what was held before needs new memory")
	}
}

// TestMapFloats: zeros that can be written to.
func TestMapFloats(t *testing.T) {
	x, free := MapFloats(3<<20 + 1)
	defer free()
	for i, v := range x {
		if v != 0 {
			t.Fatalf("element %d is %v", i, v)
		}
		x[i] = float32(i)
	}
	if len(x) != 3<<20+1 || x[3<<20] != 3<<20 {
		t.Errorf("%d floats, the last %v", len(x), x[len(x)-1])
	}
}
