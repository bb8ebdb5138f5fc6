package cli

import (
	"bytes"
	"strings"
	"testing"

	"weir/control/doctor"
)

// What would be changed is a script, or an object for each step and a summary.
func TestPrintFixes(t *testing.T) {
	checks := []doctor.Check{
		{ID: "a.well", State: doctor.OK},
		{ID: "b", Subject: "eth0", State: doctor.Warn, Fix: "ip link set eth0 mtu 1500 > x"},
		{
			ID: "c", State: doctor.Warn, Fix: "sysctl -w d=7",
			Settings: []doctor.Setting{{Path: "/proc/sys/d", Value: "7"}},
		},
	}
	f := func(asJSON bool, checks []doctor.Check, want string) {
		t.Helper()
		var out bytes.Buffer
		if err := printFixes(&out, checks, asJSON); err != nil || out.String() != want {
			t.Errorf("%v, got\n%swant\n%s", err, &out, want)
		}
	}
	f(false, checks, `#!/bin/sh
# by hand: b eth0: ip link set eth0 mtu 1500 > x
echo 7 > /proc/sys/d
`)
	f(true, checks, strings.TrimPrefix(`
{"type":"fix","id":"b","subject":"eth0","by_hand":true,"command":"ip link set eth0 mtu 1500 > x"}
{"type":"fix","by_hand":false,"path":"/proc/sys/d","value":"7","command":"echo 7 > /proc/sys/d"}
{"type":"summary","fixes":1,"by_hand":1}
`, "\n"))
	f(false, nil, "#!/bin/sh\n")
	f(true, nil, `{"type":"summary","fixes":0,"by_hand":0}`+"\n")
}

func TestPrintFixes_Failure(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		if err := printFixes(&full{}, nil, asJSON); err == nil {
			t.Error("no error")
		}
	}
}
