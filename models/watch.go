package models

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// watch has f shown what [Options.Watch] says.
func (m *Model) watch(f func(layer int, mlp bool, x tensor.Mat)) error {
	for l, layer := range m.layers {
		if len(layer.Blocks) != 2 {
			return fmt.Errorf("layer %d: found %d blocks, expected an attention and an MLP", l, len(layer.Blocks))
		}
		attention, ok1 := layer.Blocks[0].Mixer.(*nn.Attention)
		mlp, ok2 := layer.Blocks[1].Mixer.(*nn.SwiGLU)
		if !ok1 || !ok2 {
			return fmt.Errorf("layer %d: found %T and %T, expected softmax attention and a gated MLP", l, layer.Blocks[0].Mixer, layer.Blocks[1].Mixer)
		}
		attention.Out.Watch = func(x tensor.Mat) { f(l, false, x) }
		mlp.Down.Watch = func(x tensor.Mat) { f(l, true, x) }
	}
	return nil
}
