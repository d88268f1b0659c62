package chat

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

func filterInt(m *machine, a []value) value {
	def := optional(a[1], int64(0))
	if s, ok := a[0].(*str); ok {
		if i := parseInt(s.s, optionalInt(a[2], 10)); i != nil {
			return integer(i)
		}
		f, ok := parseFloat(s.s)
		if !ok {
			return def
		}
		return floatToInt(f, def)
	}
	switch v := a[0].(type) {
	case *undefined:
		v.use()
	case float64:
		return floatToInt(v, def)
	}
	if i, ok := asBig(a[0]); ok {
		return integer(i)
	}
	return def
}

// floatToInt drops the fraction; what has no integer gives def.
func floatToInt(f float64, def value) value {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return def
	}
	i, _ := big.NewFloat(f).Int(nil)
	return integer(i)
}

// parseInt is Python's int() of a string, nil if it is none.
func parseInt(s string, base int) *big.Int {
	s = strings.TrimFunc(s, isSpace)
	body := strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	if len(s)-len(body) > 1 || len(s) > maxIntDigits || base < 0 || base == 1 || base > 36 || body == "" || body[0] == '-' {
		return nil
	}
	prefix := map[int]string{2: "0b", 8: "0o", 16: "0x"}[base]
	if prefix != "" && len(body) > 2 && strings.EqualFold(body[:2], prefix) {
		body = strings.TrimPrefix(body[2:], "_")
	}
	if base != 0 {
		if strings.Contains(body, "__") || strings.HasPrefix(body, "_") || strings.HasSuffix(body, "_") {
			return nil
		}
		body = strings.ReplaceAll(body, "_", "")
	} else if len(body) > 1 && body[0] == '0' && strings.Trim(body, "0_123456789") == "" && strings.Trim(body, "0_") != "" {
		return nil
	}
	i, ok := new(big.Int).SetString(body, base)
	if !ok {
		return nil
	}
	if s[0] == '-' {
		i.Neg(i)
	}
	return i
}

// parseFloat is Python's float() of a string.
func parseFloat(s string) (f float64, ok bool) {
	s = strings.TrimFunc(s, isSpace)
	if strings.ContainsAny(s, "xX") || strings.Contains(s, "__") || strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if e, isNum := err.(*strconv.NumError); isNum && e.Err == strconv.ErrRange {
		err = nil
	}
	return f, err == nil
}

// toFloat is Python's float(); ok is false where that fails.
func toFloat(v value) (f float64, ok bool) {
	switch v := v.(type) {
	case *str:
		return parseFloat(v.s)
	case *undefined:
		v.use()
	}
	return asFloat(v)
}

func filterFloat(_ *machine, a []value) value {
	if f, ok := toFloat(a[0]); ok {
		return f
	}
	return optional(a[1], 0.0)
}

func filterAbs(_ *machine, a []value) value {
	if f, ok := a[0].(float64); ok {
		return math.Abs(f)
	}
	i, ok := asBig(a[0])
	if !ok {
		fail(Runtime, "bad operand type for abs(): '%s'", typeName(a[0]))
	}
	return integer(new(big.Int).Abs(i))
}

func filterRound(m *machine, a []value) value {
	precision, method := optionalInt(a[1], 0), "common"
	if a[2] != nil {
		method = textArg(a[2]).s
	}
	if !isNumber(a[0]) {
		fail(Runtime, "'%s' cannot be rounded", typeName(a[0]))
	}
	round := math.Ceil
	switch method {
	case "common":
		return roundCommon(a[0], precision)
	case "floor":
		round = math.Floor
	case "ceil":
	default:
		fail(Runtime, "method must be common, ceil or floor")
	}
	scale := power(big.NewInt(10), big.NewInt(int64(min(max(precision, -400), 400))))
	scaled, _ := asFloat(m.binary("*", a[0], scale))
	i := floatToInt(round(scaled), nil)
	if i == nil {
		fail(Runtime, "cannot convert float infinity or NaN to integer")
	}
	return m.binary("/", i, scale)
}

// roundCommon is Python's round(): half to even, of a float to one.
func roundCommon(v value, precision int) value {
	precision = min(max(precision, -400), 400)
	if i, ok := asBig(v); ok {
		if precision >= 0 {
			return integer(i)
		}
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-precision)), nil)
		q, r := new(big.Int).DivMod(i, unit, new(big.Int))
		if c := r.Lsh(r, 1).Cmp(unit); c > 0 || c == 0 && q.Bit(0) == 1 {
			q.Add(q, big.NewInt(1))
		}
		return integer(q.Mul(q, unit))
	}
	f := v.(float64)
	if math.IsInf(f, 0) || math.IsNaN(f) || f == 0 {
		return f
	}
	if precision >= 0 {
		r, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', precision, 64), 64)
		return r
	}
	unit := math.Pow10(-precision)
	return math.RoundToEven(f/unit) * unit
}

func filterFileSize(_ *machine, a []value) value {
	f, ok := toFloat(a[0])
	if !ok {
		fail(Runtime, "could not convert '%s' to a size", typeName(a[0]))
	}
	base, suffix := 1000.0, "B"
	prefixes := []string{"k", "M", "G", "T", "P", "E", "Z", "Y"}
	if a[1] != nil && truth(a[1]) {
		base, suffix = 1024, "iB"
		prefixes[0] = "K"
	}
	switch {
	case f == 1:
		return text("1 Byte")
	case f < base:
		return text(fmt.Sprintf("%d Bytes", int64(f)))
	}
	unit := base
	for i, p := range prefixes {
		unit *= base
		if f < unit || i == len(prefixes)-1 {
			return text(fmt.Sprintf("%.1f %s%s", base*f/unit, p, suffix))
		}
	}
	return nil
}
