package constrain_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/mminfer/mminfer/constrain"
)

// randomSchema draws a schema of the keywords that are enforced, with numbers and names small
// enough to meet one another.
func randomSchema(rng *rand.Rand, depth int) any {
	if depth == 0 || rng.IntN(12) == 0 {
		return []any{true, map[string]any{}, map[string]any{"type": "null"}, map[string]any{"const": 3}, map[string]any{"type": "string", "maxLength": 2}}[rng.IntN(5)]
	}
	s := map[string]any{}
	sub := func() any { return randomSchema(rng, depth-1) }
	some := func(list ...string) string { return list[rng.IntN(len(list))] }
	list := func() (l []any) {
		for range 1 + rng.IntN(3) {
			l = append(l, sub())
		}
		return l
	}
	if rng.IntN(5) > 0 {
		s["type"] = some("object", "object", "array", "array", "string", "number", "integer", "boolean")
	}
	add := map[string]func() any{
		"minimum":              func() any { return float64(rng.IntN(40)-20) / 4 },
		"exclusiveMaximum":     func() any { return float64(rng.IntN(400)-20) / 8 },
		"multipleOf":           func() any { return []float64{1, 2, 0.5, 0.3, 7}[rng.IntN(5)] },
		"minLength":            func() any { return rng.IntN(4) },
		"maxLength":            func() any { return rng.IntN(6) },
		"pattern":              func() any { return some(`^a`, `b$`, `[0-9]`, `^[a-c]*$`, `^.{2}`, `\s`, `^\S*$`, `a|\d{2}`) },
		"format":               func() any { return some("date", "uuid", "ipv4") },
		"minItems":             func() any { return rng.IntN(3) },
		"maxItems":             func() any { return rng.IntN(4) },
		"items":                sub,
		"prefixItems":          func() any { return list() },
		"minProperties":        func() any { return rng.IntN(3) },
		"maxProperties":        func() any { return rng.IntN(4) },
		"additionalProperties": sub,
		"propertyNames":        func() any { return map[string]any{"pattern": some(`^a`, `b`, `^.{0,3}$`)} },
		"required":             func() any { return [][]string{{"a"}, {"b", "a"}, {"ab", "c"}, {}}[rng.IntN(4)] },
		"properties":           func() any { return map[string]any{"a": sub(), some("b", "ab", "c"): sub()} },
		"patternProperties":    func() any { return map[string]any{some(`^a`, `b$`): sub(), `c`: sub()} },
		"enum": func() any {
			return []any{1, "a", nil, "ab", 2.5, []any{1, "a"}, map[string]any{"a": 1}, true}[rng.IntN(3):]
		},
		"allOf": func() any { return list() },
		"anyOf": func() any { return list() },
		"oneOf": func() any { return list() },
		"$ref":  func() any { return some("#", "#/$defs/x", "#/$defs/y") },
	}
	weights := []string{"minimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "items", "prefixItems", "items",
		"minProperties", "maxProperties", "additionalProperties", "propertyNames", "required", "properties", "properties", "patternProperties", "enum", "allOf", "anyOf", "oneOf", "$ref"}
	for range 1 + rng.IntN(4) {
		key := some(weights...)
		s[key] = add[key]()
	}
	return s
}

// TestRandomSchemas draws schemas and texts of each; the independent library validates them.
func TestRandomSchemas(t *testing.T) {
	compared, refused := 0, 0
	n := randomSchemas
	if raceEnabled {
		n /= 5
	}
	for seed := range uint64(n) {
		rng := rand.New(rand.NewPCG(seed, 9))
		s := randomSchema(rng, 3)
		if m, ok := s.(map[string]any); ok {
			m["$defs"] = map[string]any{"x": randomSchema(rng, 2), "y": randomSchema(rng, 1)}
		}
		src, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := constrain.JSONSchema(src); err != nil {
			refused++
			continue
		}
		if checkSchema(t, src, seed, 6) {
			compared++
		}
	}
	t.Logf("%d compared, %d refused", compared, refused)
	if compared < n/4 {
		t.Errorf("only %d of %d schemas were compared", compared, n)
	}
}

const randomSchemas = 150
