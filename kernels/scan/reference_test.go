package scan

import "math"

const (
	eps  = 0x1p-24
	tiny = 0x1p-147 // what the few operations of an update may lose to underflow
)

// bounded is a number in float64 and how far the float32 one may be from it.
type bounded struct{ value, bound float64 }

// step advances an entry of a state to decay·s + w·b. The relative errors of the decay and of w,
// and the number of roundings of the two products, are given in units of eps.
func (s *bounded) step(decay, decayErr, w, wErr, b float64) {
	kept, written := decay*s.value, w*b
	s.bound = decay*s.bound*(1+(decayErr+1)*eps) + (decayErr+1)*eps*math.Abs(kept) + (wErr+1)*eps*math.Abs(written)
	s.value = kept + written
	s.bound = s.bound*(1+eps) + eps*math.Abs(s.value) + tiny
}

// output is the bounded sum of the entries times c, plus d·x.
func output(entries []bounded, c []float32, d, x float64) bounded {
	var o bounded
	magnitude := math.Abs(d * x)
	for n, s := range entries {
		o.value += s.value * float64(c[n])
		o.bound += s.bound * math.Abs(float64(c[n]))
		magnitude += (math.Abs(s.value) + s.bound) * math.Abs(float64(c[n]))
	}
	o.value += d * x
	n := float64(len(entries)+1) * eps
	o.bound = o.bound*(1+n) + n*1.001*magnitude + float64(len(entries)+1)*0x1p-149
	return o
}

// reference computes a call in float64, from the state before it: outputs [Tokens, P] and the
// final state [P, N]. decays, if not nil, are the unrounded decays.
func (a *SSD) reference(decays []float64) (y []bounded, s [][]bounded) {
	s = entries(a.S, a.P, a.N)
	for t := range a.Tokens {
		dt, decay := float64(a.Dt[t*a.DtStride]), float64(a.Decay[t*a.DecayStride])
		decayErr := 0.0
		if decays != nil {
			decay, decayErr = decays[t], 1
		}
		for p := range a.P {
			x := float64(a.X[t*a.XStride+p])
			for n := range a.N {
				s[p][n].step(decay, decayErr, dt*x, 1, float64(a.B[t*a.BStride+n]))
			}
			y = append(y, output(s[p], a.C[t*a.CStride:], float64(a.D[p]), x))
		}
	}
	return y, s
}

// reference computes a call in float64, from the state before it: outputs [Tokens, Channels] and
// the final state [Channels, N]. rates, if not nil, are the unrounded A, [Channels, N].
func (a *Selective) reference(rates []float64) (y []bounded, s [][]bounded) {
	s = entries(a.S, a.Channels, a.N)
	for t := range a.Tokens {
		for e := range a.Channels {
			dt, x := float64(a.Dt[t*a.DtStride+e]), float64(a.X[t*a.XStride+e])
			for n := range a.N {
				power := dt * float64(a.A[place(e, n, a.N)])
				powerErr := math.Abs(power) * math.Ln2 // of the product's rounding
				if rates != nil {
					power = dt * rates[e*a.N+n] * math.Log2E
					powerErr *= 2
				}
				s[e][n].step(math.Max(math.Exp2(power), 0x1p-125), 2+powerErr, dt*x, 2, float64(a.B[t*a.BStride+n]))
			}
			y = append(y, output(s[e], a.C[t*a.CStride:], float64(a.D[e]), x))
		}
	}
	return y, s
}

// place is where a state keeps entry n of a channel.
func place(channel, n, entries int) int {
	return (channel/Lanes*entries+n)*Lanes + channel%Lanes
}

// entries unpacks a state to [channels, n].
func entries(s []float32, channels, n int) [][]bounded {
	rows := make([][]bounded, channels)
	for c := range rows {
		rows[c] = make([]bounded, n)
		for i := range rows[c] {
			rows[c][i].value = float64(s[place(c, i, n)])
		}
	}
	return rows
}
