package delta

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// TestGolden runs the recurrences of testdata: inputs in bfloat16, outputs computed in float64 by
// flash-linear-attention 0.6.0's recurrent and chunked forms, which agree to 3e-15.
func TestGolden(t *testing.T) {
	for _, file := range []string{"gated_delta_rule", "delta_rule"} {
		tensors := readSafetensors(t, "testdata/"+file+".safetensors")
		kerneltest.All(t, "delta.GatedRule", func(h *kerneltest.H) {
			for _, name := range []string{"a", "b", "c", "d"} {
				golden(h, tensors, name)
			}
		})
	}
}

// golden runs every value head j of a case, which has the query and key of head j/(HV/H).
func golden(h *kerneltest.H, tensors map[string]tensor, name string) {
	in := func(n string) []float32 { return narrow(tensors[name+".in."+n].data) }
	k, v := tensors[name+".in.k"].shape, tensors[name+".in.v"].shape
	tokens, heads, kdim, values, vdim := k[0], k[1], k[2], v[1], v[2]
	wantO, wantS := tensors[name+".want.o"].data, tensors[name+".want.S"].data
	logs, state := tensors[name+".in.g"].data, in("S0")
	if state == nil {
		state = make([]float32, values*kdim*vdim)
	}
	o := make([]float32, tokens*values*vdim)
	for j := range values {
		decays := make([]float64, tokens)
		for t := range decays {
			decays[t] = 1
			if logs != nil {
				decays[t] = math.Exp(logs[t*values+j])
			}
		}
		a := &Gated{
			O: o[j*vdim:], OStride: values * vdim,
			Q: in("q")[j*heads/values*kdim:], QStride: heads * kdim,
			K: in("k")[j*heads/values*kdim:], KStride: heads * kdim,
			V: in("v")[j*vdim:], VStride: values * vdim,
			Decay: narrow(decays), DecayStride: 1,
			Beta: in("beta")[j:], BetaStride: values,
			S: state[j*kdim*vdim:][:kdim*vdim], SStride: vdim,
			Tokens: tokens, KDim: kdim, VDim: vdim, Scale: float32(1 / math.Sqrt(float64(kdim))),
		}
		r := reference(a, decays)
		GatedRule(a)
		// The bounds hold for the true values, so those of the file take the place of r's.
		for t := range tokens {
			copy(r.o[t*vdim:][:vdim], wantO[(t*values+j)*vdim:])
		}
		copy(r.s, wantS[j*kdim*vdim:])
		r.check(h, a)
		h.Check("%s head %d", name, j)
	}
}

type tensor struct {
	shape []int
	data  []float64
}

// readSafetensors reads a file of BF16 and F64 tensors.
func readSafetensors(t *testing.T, path string) map[string]tensor {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(b)
	var header map[string]struct {
		Dtype   string
		Shape   []int
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(b[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	tensors := make(map[string]tensor)
	for name, e := range header {
		raw := b[8+n:][e.Offsets[0]:e.Offsets[1]]
		var data []float64
		switch e.Dtype {
		case "BF16":
			for i := 0; i < len(raw); i += 2 {
				data = append(data, float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw[i:]))<<16)))
			}
		case "F64":
			for i := 0; i < len(raw); i += 8 {
				data = append(data, math.Float64frombits(binary.LittleEndian.Uint64(raw[i:])))
			}
		default:
			t.Fatalf("%s: %s: unexpected type %s", path, name, e.Dtype)
		}
		tensors[name] = tensor{e.Shape, data}
	}
	return tensors
}

func narrow(x []float64) []float32 {
	var y []float32
	for _, v := range x {
		y = append(y, float32(v))
	}
	return y
}
