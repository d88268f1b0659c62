package loader

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

var configs = []struct{ in, want string }{
	{``, ``},
	{`{"a": 1, "b": "x"}`, `{"a": 1, "b": "x"}`},
	{`[0.0, Infinity]`, `[0.0, 1.7976931348623157e308]`},
	{`{"a":-Infinity,"b":NaN}`, `{"a":-1.7976931348623157e308,"b":null}`},
	{`Infinity`, `1.7976931348623157e308`},
	{"[\n Infinity\n,NaN\t]", "[\n 1.7976931348623157e308\n,null\t]"},
	{`{"Infinity":"NaN","a\"Infinity":"\\",  "b":NaN}`, `{"Infinity":"NaN","a\"Infinity":"\\",  "b":null}`},
	{`[1Infinity,InfinityX,xNaN,NaN1,Inf,Na]`, `[1Infinity,InfinityX,xNaN,NaN1,Inf,Na]`},
	{`"NaN`, `"NaN`},
	{`["\`, `["\`},
	{`[N`, `[N`},
}

func TestStandardJSON(t *testing.T) {
	for _, test := range configs {
		if got := string(StandardJSON([]byte(test.in))); got != test.want {
			t.Errorf("%s became %s, want %s", test.in, got, test.want)
		}
	}
	var v struct {
		Limit [2]float64
		Eps   *float64
	}
	if err := json.Unmarshal(StandardJSON([]byte(`{"limit":[-Infinity,Infinity],"eps":NaN}`)), &v); err != nil {
		t.Fatal(err)
	}
	if v.Limit != [2]float64{-math.MaxFloat64, math.MaxFloat64} || v.Eps != nil || !math.IsInf(float64(float32(v.Limit[1])), 1) {
		t.Errorf("decoded %v %v", v.Limit, v.Eps)
	}
}

// TestConfig checks that a checkpoint's configuration has been through StandardJSON.
func TestConfig(t *testing.T) {
	c, err := Open(files{"config.json": `{"time_step_limit":[0.0,Infinity]}`, "model.safetensors": shard("a")}.write(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !json.Valid(c.Config()) || !strings.Contains(string(c.Config()), "e308") {
		t.Errorf("Config() = %s", c.Config())
	}
}
