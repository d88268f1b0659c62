package lint

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// buildsEnv, where it is not empty, runs [TestBuilds], which takes minutes with a cold build cache.
const buildsEnv = "MMINFER_LINT_BUILDS"

// TestBuilds builds the module without cgo for every platform, and without assembly. The go tool
// reads files unseen by the test cache, so the test reads the sources too.
func TestBuilds(t *testing.T) {
	if os.Getenv(buildsEnv) == "" {
		t.Skipf("%s=1 builds for every platform", buildsEnv)
	}
	repository(t)
	for _, platform := range []string{
		"linux/amd64", "linux/arm64", "linux/riscv64", "linux/s390x",
		"darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64", "wasip1/wasm",
	} {
		build(t, platform)
	}
	build(t, "linux/amd64", "-tags", "purego")
}

func build(t *testing.T, platform string, flags ...string) {
	start := time.Now()
	system, arch, _ := strings.Cut(platform, "/")
	cmd := exec.Command("go", append(append([]string{"build"}, flags...), "./...")...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+arch)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v\n%s", platform, flags, err, out)
		return
	}
	t.Logf("%-14s %v %v", platform, flags, time.Since(start).Round(time.Second))
}
