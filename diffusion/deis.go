package diffusion

// DEIS runs the exponential integrator of Zhang & Chen 2023, arXiv:2204.13902 ("log-rho"), of the given
// orders, 1 to 3: x' = α'·(x/α + Σ C_k·ε_k), where C_k integrates over σ/α the Lagrange polynomials in
// ln(σ/α) through the last values. ln(σ/α) is -λ, so these are the polynomials of [DPMMultistep] in the
// noise form with its whole Taylor series.
func DEIS[F Float](r *Run[F], grid []Level, orders []int) error {
	return DPMMultistep(r, grid, Multistep{Orders: orders, Form: Noise, Taylor: true})
}
