package net

import (
	"errors"

	"github.com/mminfer/mminfer/tensor"
)

var errSketch = errors.New("net: not there yet")

// CLIPText is the text encoder of CLIP, with or without a projection.
//
// Source: Radford et al. 2021, arXiv:2103.00020; models/clip/modeling_clip.py in huggingface/transformers 5.23.
type CLIPText struct {
	weights
	Vocab      int
	Width      int // D
	Layers     int
	MaxTokens  int // positions
	Projection int // columns of the pooled output where there is a projection, else 0
}

// Text is what an encoder makes of a text.
type Text struct {
	Hidden tensor.Mat // [T, D]
	Pooled []float32  // [D], or [Projection]
}

// NewCLIPText builds the network of a folder. The error tells everything that is wrong.
func NewCLIPText(ck Checkpoint, o Options) (*CLIPText, error) { return nil, errSketch }

// Encode reads ids, padded by the caller to as many as the context should have rows, at most MaxTokens.
// Hidden is the final norm of what comes skip layers before the last, and with raw what comes there without
// the norm. Pooled is always that of the last layer.
func (c *CLIPText) Encode(ids []int32, skip int, raw bool, p *Pass) (Text, error) {
	return Text{}, errSketch
}
