package net

import (
	"math"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// TestTimeFeatures: the values are get_timestep_embedding's on torch 2.15 in float32, which differ from those in float64 by up
// to 3e-5 at these times.
func TestTimeFeatures(t *testing.T) {
	want := [2][16]float64{
		{
			0.45603618025779724, -0.8912490606307983, 0.318403035402298, 0.4329540431499481, -0.894047200679779, 0.9834843873977661, 0.36401310563087463, 0.09978365898132324,
			0.8899612426757812, -0.4535141587257385, -0.9479554295539856, 0.901416003704071, 0.44797283411026, 0.18099315464496613, 0.9313938021659851, 0.9950091242790222,
		},
		{
			0.6750911474227905, 0.9843074083328247, 0.7033200263977051, 0.9998206496238708, -0.601916491985321, 0.8500435948371887, 0.2692173421382904, 0.07305983453989029,
			-0.737734317779541, 0.1764623075723648, -0.7108733654022217, 0.018939757719635963, -0.7985590100288391, 0.5267122983932495, 0.9630794525146484, 0.9973275661468506,
		},
	}
	for _, flip := range []bool{false, true} {
		m := tensor.NewMat(2, 16)
		timeFeatures(m, []float64{999.5, 731.25}, 1, flip)
		for n := range want {
			for i, w := range want[n] {
				at := i
				if flip {
					at = (i + 8) % 16
				}
				// Half a unit in the last place of the sine, and as much of torch's.
				if d := math.Abs(float64(m.Row(n)[at]) - w); !(d <= 0x1p-23) {
					t.Errorf("sample %d, feature %d, flip %t: %v, want %v: off by %.2g", n, i, flip, m.Row(n)[at], w, d)
				}
			}
		}
	}
}
