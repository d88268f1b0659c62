package delta

func gatedRule(a *Gated) { gatedGeneric(a) }
