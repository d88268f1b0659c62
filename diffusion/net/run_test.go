package net

import (
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// TestImages: small buffers are kept for the next computation, and large ones up to a bound; beyond it they are unmapped when they are free and
// too small, and at the end. Closing a pass unmaps all.
func TestImages(t *testing.T) {
	p := &Pass{WS: new(tensor.Workspace)}
	r := begin(p)
	small, large := r.image(1, 8, 8, 16), r.image(1, 256, 256, 16)
	kept := &small.Data[0]
	r.release(small)
	r.release(large)
	if again := r.image(1, 200, 256, 16); &again.Data[0] != &large.Data[0] || len(r.mapped) != 1 {
		t.Errorf("a buffer that is large enough was not taken; %d are mapped", len(r.mapped))
	} else {
		r.release(again)
	}
	larger := r.image(1, 512, 256, 16)
	if len(r.mapped) != 2 || len(r.free) != 2 {
		t.Errorf("%d buffers are mapped and %d free beside a larger one, want 2 and 2", len(r.mapped), len(r.free))
	}
	for i := range larger.Data {
		larger.Data[i] = 1 // it can be written to
	}
	huge := r.image(1, 1<<12, 1<<8, heldFloats>>20)
	if len(r.mapped) != 2 || len(r.free) != 1 || r.held != cap(larger.Data)+cap(huge.Data) {
		t.Errorf("%d buffers are mapped, with %d floats, and %d free beside a huge one, want 2 and 1", len(r.mapped), r.held, len(r.free))
	}
	r.release(larger)
	r.release(huge)
	if err := r.end(); err != nil || len(r.mapped) != 0 || r.held != 0 || len(r.free) != 1 || &r.free[0][:1][0] != kept {
		t.Errorf("%d buffers are mapped after the end, %d are free, %v", len(r.mapped), len(r.free), err)
	}

	r = begin(p)
	r.release(r.image(1, 256, 256, 16))
	if err := r.end(); err != nil || len(r.mapped) != 1 {
		t.Errorf("%d buffers are mapped after the end, want 1, %v", len(r.mapped), err)
	}
	if p.Close(); len(r.mapped) != 0 || r.held != 0 {
		t.Errorf("%d buffers are mapped after Close", len(r.mapped))
	}
}
