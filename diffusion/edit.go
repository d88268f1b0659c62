package diffusion

import (
	"fmt"
	"slices"
)

// Strength returns the part of a grid with which a picture is changed: of n steps the last ⌊n·strength⌋.
// The run begins with [AddNoise] of the picture at the part's first level.
func Strength(grid []Level, strength float64) ([]Level, error) {
	n := len(grid) - 1
	if !(strength > 0 && strength <= 1) || n < 1 {
		return nil, fmt.Errorf("diffusion: strength %g of a grid of %d levels: want a number in (0, 1] and at least 2 levels", strength, len(grid))
	}
	keep := int(float64(n) * strength)
	if keep == 0 {
		return nil, fmt.Errorf("diffusion: strength %g of %d steps leaves none: want at least %g", strength, n, 1/float64(n))
	}
	return grid[n-keep:], nil
}

// Reversed returns a grid backwards, from little noise to much: a deterministic solver then finds the
// noise that leads to given data.
func Reversed(grid []Level) []Level {
	back := slices.Clone(grid)
	slices.Reverse(back)
	return back
}

// Inpaint returns a [Run.After] that keeps part of a picture: after each step x is mask·x +
// (1-mask)·(α·known + σ·noise), all [n]. What the mask gives 1 is painted.
func Inpaint[F Float](mask, known, noise []F) (func(at Progress, x []F) error, error) {
	if len(mask) != len(known) || len(noise) != len(known) {
		return nil, fmt.Errorf("diffusion: a mask of %d elements, a picture of %d, noise of %d: want as many of each", len(mask), len(known), len(noise))
	}
	return func(at Progress, x []F) error {
		if len(x) != len(known) {
			return fmt.Errorf("diffusion: a picture of %d elements for a sample of %d", len(known), len(x))
		}
		if at.Inner {
			return nil
		}
		for i, v := range x {
			m := float64(mask[i])
			k := float64(at.Level.Alpha*float64(known[i])) + float64(at.Level.Sigma*float64(noise[i]))
			x[i] = F(float64(m*float64(v)) + float64((1-m)*k))
		}
		return nil
	}, nil
}
