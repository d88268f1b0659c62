package chat

import (
	"math"
	"math/big"
)

// maxIntBits bounds integers.
const maxIntBits = 1 << 14

// integer returns i as an int64 if it is one.
func integer(i *big.Int) value {
	if i.IsInt64() {
		return i.Int64()
	}
	if i.BitLen() > maxIntBits {
		fail(Limit, "an integer of %d bits", i.BitLen())
	}
	return i
}

// asInt returns an integer or a boolean as an int64; ok is false for what is none or too large.
func asInt(v value) (i int64, ok bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// asBig returns an integer or a boolean.
func asBig(v value) (*big.Int, bool) {
	if b, ok := v.(*big.Int); ok {
		return b, true
	}
	if i, ok := asInt(v); ok {
		return big.NewInt(i), true
	}
	return nil, false
}

// asFloat returns a number.
func asFloat(v value) (f float64, ok bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		if math.IsInf(f, 0) {
			fail(Runtime, "int too large to convert to float")
		}
		return f, true
	}
	i, ok := asInt(v)
	return float64(i), ok
}

// binary does arithmetic.
func (m *machine) binary(op string, a, b value) value {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			if r, ok := smallInts(op, x, y); ok {
				return r
			}
		}
	}
	if r := m.sequences(op, a, b); r != nil {
		return r
	}
	if x, ok := asBig(a); ok {
		if y, ok := asBig(b); ok {
			return bigInts(op, x, y)
		}
	}
	if isFloat(a) || isFloat(b) {
		x, ok := asFloat(a)
		if y, ok2 := asFloat(b); ok && ok2 {
			return floats(op, x, y)
		}
	}
	for _, v := range []value{a, b} {
		if u, ok := v.(*undefined); ok {
			u.use()
		}
	}
	fail(Runtime, "unsupported operand types for %s: '%s' and '%s'", op, typeName(a), typeName(b))
	return nil
}

// smallInts computes what stays an int64 and cannot fail.
func smallInts(op string, x, y int64) (value, bool) {
	switch op {
	case "+":
		r := x + y
		return r, (r > x) == (y > 0)
	case "-":
		r := x - y
		return r, (r < x) == (y > 0)
	case "*":
		if small := int64(math.MaxInt32); -small < x && x < small && -small < y && y < small {
			return x * y, true
		}
	case "//", "%":
		if y > 0 {
			q, r := x/y, x%y
			if r < 0 {
				q, r = q-1, r+y
			}
			if op == "%" {
				q = r
			}
			return q, true
		}
	}
	return nil, false
}

func bigInts(op string, x, y *big.Int) value {
	switch op {
	case "+":
		return integer(new(big.Int).Add(x, y))
	case "-":
		return integer(new(big.Int).Sub(x, y))
	case "*":
		return integer(new(big.Int).Mul(x, y))
	case "**":
		return power(x, y)
	}
	if y.Sign() == 0 {
		fail(Runtime, "division by zero")
	}
	if op == "/" {
		f, _ := new(big.Rat).SetFrac(x, y).Float64()
		if math.IsInf(f, 0) {
			fail(Runtime, "integer division result too large for a float")
		}
		return f
	}
	q, r := new(big.Int).QuoRem(x, y, new(big.Int))
	if r.Sign() != 0 && r.Sign() != y.Sign() {
		q.Sub(q, big.NewInt(1))
		r.Add(r, y)
	}
	if op == "%" {
		return integer(r)
	}
	return integer(q)
}

func power(x, y *big.Int) value {
	if y.Sign() < 0 {
		a, _ := asFloat(integer(x))
		b, _ := asFloat(integer(y))
		return floats("**", a, b)
	}
	if x.BitLen() > 1 && (!y.IsInt64() || y.Int64() > maxIntBits || int64(x.BitLen()-1)*y.Int64() > maxIntBits) {
		fail(Limit, "a power too large")
	}
	if x.BitLen() <= 1 { // 0, 1 or -1: only whether the exponent is odd or 0 counts
		y = new(big.Int).Add(new(big.Int).And(y, big.NewInt(1)), big.NewInt(2*int64(min(y.BitLen(), 1))))
	}
	return integer(new(big.Int).Exp(x, y, nil))
}

func floats(op string, x, y float64) value {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "**":
		return floatPower(x, y)
	}
	if y == 0 {
		fail(Runtime, "division by zero")
	}
	if op == "/" {
		return x / y
	}
	r := math.Mod(x, y)
	q := (x - r) / y
	if r != 0 && (r < 0) != (y < 0) {
		r, q = r+y, q-1
	} else if r == 0 {
		r = math.Copysign(0, y)
	}
	if op == "%" {
		return r
	}
	if q == 0 {
		return math.Copysign(0, x/y)
	}
	if f := math.Floor(q); q-f <= 0.5 {
		return f
	}
	return math.Ceil(q)
}

func floatPower(x, y float64) value {
	if x == 0 && y < 0 {
		fail(Runtime, "0.0 cannot be raised to a negative power")
	}
	r := math.Pow(x, y)
	switch finite := !math.IsInf(x, 0) && !math.IsInf(y, 0) && x == x && y == y; {
	case finite && math.IsInf(r, 0):
		fail(Runtime, "result too large")
	case finite && r != r:
		fail(Runtime, "complex numbers are not supported")
	}
	return r
}

// sequences adds and repeats strings, lists and tuples, and formats strings; nil if that is not
// what is asked for.
func (m *machine) sequences(op string, a, b value) value {
	switch op {
	case "+":
		return m.added(a, b)
	case "*":
		if n, ok := asBig(b); ok {
			return m.repeated(a, n)
		}
		if n, ok := asBig(a); ok {
			return m.repeated(b, n)
		}
	case "%":
		if s, ok := a.(*str); ok {
			return m.printf(s, b)
		}
	}
	return nil
}

func (m *machine) added(a, b value) value {
	switch x := a.(type) {
	case *str:
		if y, ok := b.(*str); ok {
			if x.safe != y.safe {
				x, y = m.escape(x), m.escape(y)
			}
			b := builder{m: m, b: make([]byte, 0, len(x.s)+len(y.s))}
			b.add(x)
			b.add(y)
			return b.str().as(x)
		}
	case *list:
		if y, ok := b.(*list); ok {
			return m.newList(x.items, y.items)
		}
	case *tuple:
		if y, ok := b.(*tuple); ok {
			return &tuple{items: m.newList(x.items, y.items).items}
		}
	}
	return nil
}

// newList returns a new list of the items of others.
func (m *machine) newList(parts ...[]value) *list {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	m.grow(16 * n)
	items := make([]value, 0, n)
	for _, p := range parts {
		items = append(items, p...)
	}
	return &list{items}
}

func (m *machine) repeated(v value, n *big.Int) value {
	count := 0
	if n.Sign() > 0 {
		if !n.IsInt64() || n.Int64() > math.MaxInt32 {
			count = math.MaxInt32
		} else {
			count = int(n.Int64())
		}
	}
	items := func(items []value) []value {
		m.grow(16 * min(count, m.bytes/16+1) * len(items))
		out := make([]value, 0, count*len(items))
		for range count {
			out = append(out, items...)
		}
		return out
	}
	switch v := v.(type) {
	case *str:
		return m.repeat(v, count)
	case *list:
		return &list{items(v.items)}
	case *tuple:
		return &tuple{items: items(v.items)}
	}
	return nil
}

// negative is -v, or +v if plus.
func negative(v value, plus bool) value {
	if u, ok := v.(*undefined); ok {
		u.use()
	}
	if f, ok := v.(float64); ok {
		if plus {
			return f
		}
		return -f
	}
	i, ok := asBig(v)
	if !ok {
		fail(Runtime, "bad operand type for unary sign: '%s'", typeName(v))
	}
	if plus {
		return integer(i)
	}
	return integer(new(big.Int).Neg(i))
}
