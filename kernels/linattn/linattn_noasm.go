package linattn

func recur(a *Recurrence) { recurGeneric(a) }

func scan(a *Gate) { scanGeneric(a) }
