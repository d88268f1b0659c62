package models

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
)

// expertNames are what a family calls the gate, up and down projections of an expert.
type expertNames struct{ gate, up, down string }

// projNames and letterNames are those that occur.
var (
	projNames   = expertNames{"gate_proj", "up_proj", "down_proj"}
	letterNames = expertNames{"w1", "w3", "w2"}
)

// moe takes a router, which is the tensor gate.weight, and its n experts of the given inner width.
func moe(p nn.Params, n expertNames, experts, width, inner int, routing nn.Routing) *nn.MoE {
	m := &nn.MoE{Router: p.Exact(p.Tensor("gate.weight", experts, width)), Routing: routing}
	for e := range experts {
		if p.TooMany() {
			break
		}
		m.Experts = append(m.Experts, swiglu(p.Sub(fmt.Sprintf("experts.%d", e)), false, width, inner, n.gate, n.up, n.down))
	}
	return m
}

// experts checks the numbers of a router.
func (c *checks) experts(key string, n int, chosenKey string, chosen int) {
	c.Between(key, n, 1, maxHeads)
	c.Between(chosenKey, chosen, 1, max(1, n))
}
