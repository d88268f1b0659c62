package models

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// Packing returns in which formats the weights of a checkpoint would be packed: of each tensor that
// is rows of matrices and nothing else, which rows in which.
func Packing(ck Checkpoint, format tensor.Format) (map[string][]tensor.PackedRows, error) {
	kind, build, err := architecture(ck.Config())
	if err != nil {
		return nil, err
	}
	p := nn.Bind(ck, format)
	if _, err := build(kind, ck.Config(), p); err != nil {
		return nil, fmt.Errorf("models: %s: config.json: %w", kind, err)
	}
	if err := p.Err(); err != nil {
		return nil, fmt.Errorf("models: %s: tensors: %w", kind, err)
	}
	return p.Packing(), nil
}

// packedFormat returns the format to build a model in: for weights that are packed already, theirs,
// or one of floats.
func packedFormat(ck Checkpoint, asked tensor.Format) (tensor.Format, error) {
	packed, ok := ck.(interface{ Format() tensor.Format })
	if !ok || packed.Format() == tensor.FormatAuto {
		return asked, nil
	}
	switch f := packed.Format(); {
	case asked == tensor.FormatAuto, asked == f:
		return f, nil
	case asked.Quantised():
		return f, fmt.Errorf("the weights are packed in %v, expected to be asked for that or a format of floats, not for %v; quantise the original", f, asked)
	}
	return asked, nil
}
