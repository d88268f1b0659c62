package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

const amoeba = "../../subnet/testdata/golden/amoeba_tiny"

func needAmoeba(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(amoeba); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
}

func TestInspectShape(t *testing.T) {
	needAmoeba(t)
	out := must(t, "", "inspect", amoeba+"/base", "--adapter", amoeba, "--strategy", amoeba, "--shape", "4x3/4", "--json")
	var i inspected
	if err := json.Unmarshal([]byte(out), &i); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(i.Subnet)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"shape":"4x0.75","gates":[0,0.37036`; !strings.HasPrefix(string(got), want) || !strings.Contains(string(got), `"layers":[0,2,4,5],"heads":[3,1,2,4],"neurons":[70,92,111,71]`) {
		t.Errorf("found %s, want %s...", got, want)
	}
	out = must(t, "", "inspect", amoeba+"/base", "--layers", "0-1,5", "--strategy", amoeba, "--shape", "6x0.625")
	for _, want := range []string{"shape          3x0.625", "kept layers    0 1 5", "their heads    2 3 4", "their neurons  59 77 58"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s does not hold %q", out, want)
		}
	}
}

// Wrong shapes are errors that tell what there is.
func TestShapeRefuses(t *testing.T) {
	needAmoeba(t)
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "expected DEPTHxWIDTH", []string{"bench", "-m", amoeba + "/base", "--shape", "big"}},
		{exitUsage, "expected numbers and ranges", []string{"inspect", "--layers", "3-1"}},
		{exitUsage, "gates gate-seed", []string{"inspect", amoeba + "/base", "--gates", "1,0", "--gate-seed", "3"}},
		{exitError, "the nearest shape is 4x0.75", []string{"inspect", amoeba + "/base", "--strategy", amoeba, "--shape", "4x0.7"}},
		{exitError, "has no subnets", []string{"generate", "Once", "--shape", "4x1"}},
		{exitError, "found 2 gates, expected one for each of 5 experts", []string{"inspect", amoeba + "/base", "--adapter", amoeba, "--gates", "1,0"}},
	} {
		if code, _, errs := cli(t, "", c.args...); code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit code %d, %s, want %d and %q", c.args, code, errs, c.code, c.want)
		}
	}
}

func TestBenchShapes(t *testing.T) {
	needAmoeba(t)
	out := must(t, "", "bench", "-m", amoeba+"/base", "--adapter", amoeba, "--strategy", amoeba, "--shape", "6x1,3x0.625", "--tests", "tg2", "--reps", "1", "--no-limits", "--quant", "q8", "--json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var large, small benchRow
	if len(lines) != 2 || json.Unmarshal([]byte(lines[0]), &large) != nil || json.Unmarshal([]byte(lines[1]), &small) != nil {
		t.Fatalf("found %s", out)
	}
	if large.Shape != "6x1" || small.Shape != "3x0.625" || small.Params >= large.Params || small.BytesPerToken >= large.BytesPerToken {
		t.Errorf("found %+v and %+v", large, small)
	}
}

func TestVerifySubnets(t *testing.T) {
	needAmoeba(t)
	out := must(t, "", "verify", "-q", amoeba+"/..")
	if !strings.Contains(out, "amoeba_tiny: 72 tensors") {
		t.Errorf("found %s", out)
	}
	out = must(t, "", "verify", amoeba, "--shape", "4x0.75", "--batch", "--split", "5")
	if strings.Count(out, "pass") != 3*7 || !strings.Contains(out, "shared d4_w0.75 again") {
		t.Errorf("found %s", out)
	}
	if code, _, errs := cli(t, "", "verify", amoeba, "--shape", "2x1"); code != exitError || !strings.Contains(errs, "no case has the shape 2x1") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}
