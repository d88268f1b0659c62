package diffusion

import "fmt"

// MultistepOrders returns the order of each step: it rises to order as values gather, and falls to 1
// at the end if taper is set. Tapering steadies runs of few steps: dpm-solver tapers below 10, diffusers
// below 15.
func MultistepOrders(steps, order int, taper bool) []int {
	orders := make([]int, max(steps, 0))
	for i := range orders {
		orders[i] = min(order, i+1)
		if taper {
			orders[i] = min(orders[i], steps-i)
		}
	}
	return orders
}

// FastOrders returns the orders of the single-step solver's steps, "DPM-Solver-fast" for order 3: as many
// steps of the order as fit into nfe evaluations of the network, and lower ones for what is left.
func FastOrders(nfe, order int) ([]int, error) {
	if nfe < 1 || order < 1 || order > 3 {
		return nil, fmt.Errorf("diffusion: %d evaluations of order %d: want at least 1, and an order of 1 to 3", nfe, order)
	}
	var orders []int
	whole, tail := nfe/order, []int{nfe % order}
	switch {
	case order == 3 && nfe%3 == 0:
		whole, tail = whole-1, []int{2, 1}
	case nfe%order == 0:
		tail = nil
	}
	for range whole {
		orders = append(orders, order)
	}
	return append(orders, tail...), nil
}

// checkOrders holds the orders of a grid's steps against what a solver has, and against the number of
// values that are there at each step; and the form.
func checkOrders(solver string, form Form, orders []int, grid []Level, most int) error {
	if form != Data && form != Noise {
		return fmt.Errorf("diffusion: %s: form %d, want Data or Noise", solver, form)
	}
	n := len(grid) - 1
	if len(orders) != n {
		return fmt.Errorf("diffusion: %s: %d orders for %d steps", solver, len(orders), n)
	}
	for i, p := range orders {
		if p < 1 || p > min(most, i+1) {
			return fmt.Errorf("diffusion: %s: order %d at step %d, want 1 to %d", solver, p, i+1, min(most, i+1))
		}
	}
	if grid[n].Sigma == 0 && orders[n-1] != 1 {
		return fmt.Errorf("diffusion: %s: order %d for the step to a level without noise, want 1", solver, orders[n-1])
	}
	return nil
}
