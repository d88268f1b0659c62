package diffusion

import "math"

// A Generator draws the random numbers of torch's CPU generator: MT19937 (Matsumoto & Nishimura 1998) and the
// two ways in which torch.randn makes normal float32 of it. It agrees to 2e-6, torch's own error.
type Generator struct {
	state [624]uint32
	next  int

	spare    float64 // the second normal number of a pair that was drawn one by one
	hasSpare bool
}

// NewGenerator seeds a generator as torch.Generator().manual_seed does: with the low 32 bits.
func NewGenerator(seed uint64) *Generator {
	g := &Generator{next: 624}
	g.state[0] = uint32(seed)
	for i := 1; i < len(g.state); i++ {
		s := g.state[i-1]
		g.state[i] = 1812433253*(s^s>>30) + uint32(i)
	}
	return g
}

// Uint32 draws 32 random bits.
func (g *Generator) Uint32() uint32 {
	if g.next == len(g.state) {
		g.refill()
	}
	y := g.state[g.next]
	g.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

func (g *Generator) refill() {
	const n, m = 624, 397
	for i := range n {
		y := g.state[i]&(1<<31) | g.state[(i+1)%n]&(1<<31-1)
		v := g.state[(i+m)%n] ^ y>>1
		if y&1 != 0 {
			v ^= 0x9908b0df
		}
		g.state[i] = v
	}
	g.next = 0
}

// Normal fills x with what one call of torch.randn of float32 draws. Below 16 numbers they are drawn one by
// one, of which a second one waits for the next such call; from 16 on in blocks, where the last 16 are
// drawn again if the number is not a multiple of 16. A float64 x gets the same values.
func Normal[F Float](g *Generator, x []F) {
	if len(x) < 16 {
		for i := range x {
			x[i] = F(float32(g.normal()))
		}
		return
	}
	for i := range x {
		x[i] = F(g.uniform())
	}
	for i := 0; i+16 <= len(x); i += 16 {
		boxMuller(x[i : i+16])
	}
	if len(x)%16 != 0 {
		last := x[len(x)-16:]
		for i := range last {
			last[i] = F(g.uniform())
		}
		boxMuller(last)
	}
}

// uniform draws a float32 in [0, 1) of 24 bits.
func (g *Generator) uniform() float64 { return float64(g.Uint32()&(1<<24-1)) / (1 << 24) }

// boxMuller turns 16 uniform numbers into normal ones.
func boxMuller[F Float](x []F) {
	for i := range 8 {
		r := math.Sqrt(-2 * math.Log(1-float64(x[i])))
		sin, cos := math.Sincos(2 * math.Pi * float64(x[i+8]))
		x[i], x[i+8] = F(float32(r*cos)), F(float32(r*sin))
	}
}

// normal draws one number, or takes the one that waits.
func (g *Generator) normal() float64 {
	if g.hasSpare {
		g.hasSpare = false
		return g.spare
	}
	u1, u2 := g.uniform53(), g.uniform53()
	r := math.Sqrt(-2 * math.Log1p(-u2))
	sin, cos := math.Sincos(2 * math.Pi * u1)
	g.spare, g.hasSpare = r*sin, true
	return r * cos
}

// uniform53 draws a float64 in [0, 1) of 53 bits.
func (g *Generator) uniform53() float64 {
	high := uint64(g.Uint32())
	return float64((high<<32|uint64(g.Uint32()))&(1<<53-1)) / (1 << 53)
}
