package net

import (
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// TestImages: small buffers are kept for the next computation, large ones are unmapped when they are free and too small, and at the end.
func TestImages(t *testing.T) {
	r := begin(&Pass{WS: new(tensor.Workspace)})
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
	if len(r.mapped) != 1 || len(r.free) != 1 {
		t.Errorf("%d buffers are mapped and %d free beside a larger one, want 1 and 1", len(r.mapped), len(r.free))
	}
	for i := range larger.Data {
		larger.Data[i] = 1 // it can be written to
	}
	r.release(larger)
	if err := r.end(); err != nil || len(r.mapped) != 0 || len(r.free) != 1 || &r.free[0][:1][0] != kept {
		t.Errorf("%d buffers are mapped after the end, %d are free, %v", len(r.mapped), len(r.free), err)
	}
}
