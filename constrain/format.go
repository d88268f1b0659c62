package constrain

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// formats are expressions of which every text satisfies the format; they need not have all.
var formats = map[string]string{
	"date":      dateText,
	"time":      timeText,
	"date-time": dateText + "T" + timeText,
	"duration":  `P([0-9]{1,6}W|[0-9]{1,6}D(T[0-9]{1,6}[HMS])?|T([0-9]{1,6}H([0-9]{1,6}M([0-9]{1,6}S)?)?|[0-9]{1,6}M([0-9]{1,6}S)?|[0-9]{1,6}S)|[0-9]{1,6}Y([0-9]{1,6}M([0-9]{1,6}D)?)?|[0-9]{1,6}M([0-9]{1,6}D)?)`,
	"uuid":      `[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`,
	"email":     `[a-zA-Z0-9_+-]{1,20}(\.[a-zA-Z0-9_+-]{1,20}){0,2}@` + hostText,
	"hostname":  hostText,
	"ipv4":      ipv4Text,
	"ipv6":      `[0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4}){7}|([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4}){0,2})?::([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4}){0,3})?`,
	"uri":       `(https?|ftp)://` + hostText + `(:[1-9][0-9]{0,3})?(/([a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})*)*(\?([a-zA-Z0-9._~!$&'()*+,;=:@/?-]|%[0-9a-fA-F]{2})*)?`,
}

const (
	// 29 February is left out in years whose last two digits are 00.
	dateText = `([0-9]{4}-(((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01]))|((0[469]|11)-(0[1-9]|[12][0-9]|30))|02-(0[1-9]|1[0-9]|2[0-8]))|[0-9]{2}(0[48]|[2468][048]|[13579][26])-02-29)`
	timeText = `([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])`
	hostText = `[a-zA-Z0-9]([a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?(\.[a-zA-Z]([a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?){1,4}`
	ipv4Text = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])){3}`
)

// formatOf returns the automaton of a format.
func formatOf(name string) (*dfa, error) {
	text, ok := formats[name]
	if !ok {
		return nil, fmt.Errorf("%q cannot be enforced; use one of %s, or a pattern", clipped(name), strings.Join(slices.Sorted(maps.Keys(formats)), ", "))
	}
	return must(text), nil
}
