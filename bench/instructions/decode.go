package main

import (
	"context"
	"embed"
	"path/filepath"

	"github.com/mminfer/mminfer/internal/synth"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// shapes are small models with softmax attention, with a recurrence, with both, and with memories.
var shapes = []string{"llama", "mamba2", "granite-h", "mom"}

// configs holds their config.json.
//
//go:embed shapes
var configs embed.FS

// write writes the models below dir.
func write(ctx context.Context, dir string) error {
	for _, shape := range shapes {
		config, err := configs.ReadFile("shapes/" + shape + ".json")
		if err != nil {
			return err
		}
		if err := synth.Write(ctx, filepath.Join(dir, shape), config, synth.Options{Type: tensor.BF16}); err != nil {
			return err
		}
	}
	return nil
}

// decode returns a step of decode: a token for each session, on one thread. The sessions' projections are one
// product, which takes fewer instructions a token than as many products of one token.
func decode(dir, shape string, sessions int) (func(), error) {
	ck, err := loader.Open(filepath.Join(dir, shape))
	if err != nil {
		return nil, err
	}
	m, err := models.New(ck, models.Options{Format: tensor.FormatBF16})
	if err != nil {
		return nil, err
	}
	b, ws := &models.Batch{}, &tensor.Workspace{}
	for i := range sessions {
		b.Seqs = append(b.Seqs, models.Seq{State: m.NewState(), Want: models.WantLast, IDs: []int32{int32(i)}})
	}
	return func() {
		if err := m.Forward(b, ws); err != nil {
			panic(err)
		}
	}, nil
}
