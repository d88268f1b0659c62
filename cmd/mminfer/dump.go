package main

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/tensor"
)

// dumpTensors makes tensors of what a golden run computed, sorted by name: [rows, width] float32,
// the width being the model's own or its vocabulary.
func dumpTensors(prefix string, out golden.Output, width, vocab int) []tensor.Tensor {
	var list []tensor.Tensor
	for _, name := range slices.Sorted(maps.Keys(out)) {
		width := width
		if strings.HasSuffix(name, "logits") {
			width = vocab
		}
		values := out[name]
		data := make([]byte, 0, 4*len(values))
		for _, x := range values {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
		}
		list = append(list, tensor.Tensor{Name: prefix + name, Type: tensor.F32, Shape: []int{len(values) / width, width}, Data: data})
	}
	return list
}
