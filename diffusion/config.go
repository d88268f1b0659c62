package diffusion

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
)

// config is what a scheduler_config.json can say.
type config struct {
	Class       string   `json:"_class_name"`
	UseDefaults []string `json:"_use_default_values"` // keys that count as missing

	Steps        int       `json:"num_train_timesteps"`
	BetaStart    float64   `json:"beta_start"`
	BetaEnd      float64   `json:"beta_end"`
	BetaSchedule string    `json:"beta_schedule"`
	TrainedBetas []float64 `json:"trained_betas"`
	ZeroSNR      bool      `json:"rescale_betas_zero_snr"`
	Prediction   string    `json:"prediction_type"`

	Spacing        string   `json:"timestep_spacing"`
	Offset         int      `json:"steps_offset"`
	Karras         bool     `json:"use_karras_sigmas"`
	Exponential    bool     `json:"use_exponential_sigmas"`
	Beta           bool     `json:"use_beta_sigmas"`
	Lu             bool     `json:"use_lu_lambdas"`
	FlowSigmas     bool     `json:"use_flow_sigmas"`
	FlowShift      float64  `json:"flow_shift"`
	FinalSigma     string   `json:"final_sigmas_type"`
	LambdaMin      *float64 `json:"lambda_min_clipped"`
	OriginalSteps  int      `json:"original_inference_steps"`
	TimeScaling    float64  `json:"timestep_scaling"`
	AlphaToOne     bool     `json:"set_alpha_to_one"`
	SkipPRK        bool     `json:"skip_prk_steps"`
	Shift          float64  `json:"shift"`
	DynamicShift   bool     `json:"use_dynamic_shifting"`
	ShiftType      string   `json:"time_shift_type"`
	ShiftTerminal  float64  `json:"shift_terminal"`
	BaseShift      float64  `json:"base_shift"`
	MaxShift       float64  `json:"max_shift"`
	BaseTokens     int      `json:"base_image_seq_len"`
	MaxTokens      int      `json:"max_image_seq_len"`
	InvertSigmas   bool     `json:"invert_sigmas"`
	Stochastic     bool     `json:"stochastic_sampling"`
	Order          int      `json:"solver_order"`
	SolverType     string   `json:"solver_type"`
	Algorithm      string   `json:"algorithm_type"`
	LowerFinal     bool     `json:"lower_order_final"`
	EulerFinal     bool     `json:"euler_at_final"`
	PredictX0      bool     `json:"predict_x0"`
	NoCorrector    []int    `json:"disable_corrector"`
	VarianceType   string   `json:"variance_type"`
	Clip           bool     `json:"clip_sample"`
	ClipRange      float64  `json:"clip_sample_range"`
	Thresholding   bool     `json:"thresholding"`
	ThresholdRatio float64  `json:"dynamic_thresholding_ratio"`
	MaxValue       float64  `json:"sample_max_value"`
}

// defaults are those most classes have; class changes what its own has.
func defaults() config {
	return config{
		Steps: 1000, BetaStart: 1e-4, BetaEnd: 0.02, BetaSchedule: "linear", Prediction: "epsilon",
		Spacing: "linspace", FlowShift: 1, FinalSigma: "zero", OriginalSteps: 50, TimeScaling: 10,
		Shift: 1, ShiftType: "exponential", BaseShift: 0.5, MaxShift: 1.15, BaseTokens: 256, MaxTokens: 4096,
		Order: 2, SolverType: "midpoint", Algorithm: "dpmsolver++", LowerFinal: true, PredictX0: true,
		VarianceType: "fixed_small", ClipRange: 1, ThresholdRatio: 0.995, MaxValue: 1,
	}
}

// parseConfig reads a file over the defaults of its class, or of class if that is not "".
func parseConfig(file []byte, class string) (c config, err error) {
	file = withoutInfinities(file)
	var head config
	if err := json.Unmarshal(file, &head); err != nil {
		return c, fmt.Errorf("diffusion: scheduler config: %w", err)
	}
	if class == "" {
		class = head.Class
	}
	row, ok := classes[class]
	if !ok {
		return c, fmt.Errorf("diffusion: scheduler config: class %q: want one of %s", class, strings.Join(slices.Sorted(maps.Keys(classes)), ", "))
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(file, &keys); err != nil {
		return c, fmt.Errorf("diffusion: scheduler config: %w", err)
	}
	for _, k := range head.UseDefaults {
		delete(keys, k)
	}
	kept, err := json.Marshal(keys)
	if err != nil {
		return c, fmt.Errorf("diffusion: scheduler config: %w", err)
	}
	c = defaults()
	if row.defaults != nil {
		row.defaults(&c)
	}
	if err := json.Unmarshal(kept, &c); err != nil {
		return c, fmt.Errorf("diffusion: scheduler config: %w", err)
	}
	if c.Class = class; row.predicts != "" {
		c.Prediction = row.predicts
	}
	return c, c.validate()
}

// withoutInfinities replaces the numbers that Python writes and JSON does not have by null, which is the
// default: lambda_min_clipped is -Infinity in most files.
func withoutInfinities(file []byte) []byte {
	return pythonNumber.ReplaceAllFunc(file, func(word []byte) []byte {
		if word[0] == '"' {
			return word
		}
		return []byte("null")
	})
}

// pythonNumber matches strings whole, so that numbers in them stay.
var pythonNumber = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|-?Infinity|NaN`)

// validate refuses what no class can run.
func (c *config) validate() error {
	for _, bad := range []struct {
		is   bool
		what string
	}{
		{c.Steps < 2 || c.Steps > maxTrainSteps, fmt.Sprintf("num_train_timesteps %d: want 2 to %d", c.Steps, maxTrainSteps)},
		{c.predicts() < 0, fmt.Sprintf("prediction_type %q: want epsilon, sample, v_prediction or flow_prediction", c.Prediction)},
		{!slices.Contains([]string{"linspace", "leading", "trailing"}, c.Spacing), fmt.Sprintf("timestep_spacing %q: want linspace, leading or trailing", c.Spacing)},
		{c.spacings() > 1, "more than one of use_karras_sigmas, use_exponential_sigmas, use_beta_sigmas, use_lu_lambdas, use_flow_sigmas"},
		{c.FinalSigma != "zero" && c.FinalSigma != "sigma_min", fmt.Sprintf("final_sigmas_type %q: want zero or sigma_min", c.FinalSigma)},
		{c.Offset < 0 || c.Offset >= c.Steps, fmt.Sprintf("steps_offset %d: want 0 to %d", c.Offset, c.Steps-1)},
		{!(c.FlowShift > 0 && c.FlowShift < 1e6 && c.Shift > 0 && c.Shift < 1e6), fmt.Sprintf("shift %g, flow_shift %g: want positive numbers", c.Shift, c.FlowShift)},
		{!(c.ShiftTerminal >= 0 && c.ShiftTerminal < 1), fmt.Sprintf("shift_terminal %g: want 0 to 1", c.ShiftTerminal)},
		{c.ShiftType != "exponential" && c.ShiftType != "linear", fmt.Sprintf("time_shift_type %q: want exponential or linear", c.ShiftType)},
		{c.InvertSigmas, "invert_sigmas is not supported"},
		{c.Order < 1 || c.Order > 3, fmt.Sprintf("solver_order %d: want 1 to 3", c.Order)},
		{c.Thresholding && (!(c.ThresholdRatio > 0 && c.ThresholdRatio <= 1) || !(c.MaxValue >= 1)), fmt.Sprintf("dynamic_thresholding_ratio %g, sample_max_value %g: want a ratio in (0, 1] and at least 1", c.ThresholdRatio, c.MaxValue)},
		{c.Clip && !(c.ClipRange > 0), fmt.Sprintf("clip_sample_range %g: want a positive number", c.ClipRange)},
		{c.OriginalSteps < 1 || c.OriginalSteps > c.Steps, fmt.Sprintf("original_inference_steps %d: want 1 to %d", c.OriginalSteps, c.Steps)},
		{!(c.TimeScaling > 0 && c.TimeScaling <= math.MaxFloat32), fmt.Sprintf("timestep_scaling %g: want a positive number", c.TimeScaling)},
	} {
		if bad.is {
			return fmt.Errorf("diffusion: scheduler config: %s: %s", c.Class, bad.what)
		}
	}
	return nil
}

func (c *config) spacings() (n int) {
	for _, set := range []bool{c.Karras, c.Exponential, c.Beta, c.Lu, c.FlowSigmas} {
		if set {
			n++
		}
	}
	return n
}

// predicts is the prediction, -1 if the name is unknown.
func (c *config) predicts() Prediction {
	for p := Epsilon; p <= Flow; p++ {
		if p.String() == c.Prediction {
			return p
		}
	}
	return -1
}

// betas are the variances of the steps of training.
func (c *config) betas() ([]float64, error) {
	if len(c.TrainedBetas) > 0 {
		return c.TrainedBetas, nil
	}
	switch c.BetaSchedule {
	case "linear":
		return LinearBetas(c.BetaStart, c.BetaEnd, c.Steps), nil
	case "scaled_linear":
		return ScaledLinearBetas(c.BetaStart, c.BetaEnd, c.Steps), nil
	case "squaredcos_cap_v2":
		return CosineBetas(c.Steps), nil
	case "sigmoid":
		return SigmoidBetas(c.BetaStart, c.BetaEnd, c.Steps), nil
	}
	return nil, fmt.Errorf("diffusion: scheduler config: beta_schedule %q: want linear, scaled_linear, squaredcos_cap_v2 or sigmoid", c.BetaSchedule)
}
