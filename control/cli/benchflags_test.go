package cli

import (
	"strings"
	"testing"
)

// What makes no sense is told before anything is measured, by the flag's name.
func TestBenchFlags(t *testing.T) {
	f := func(args, want string) {
		t.Helper()
		status, out, talk := run("bench " + args)
		if status != exitUsage || out != "" || !strings.Contains(talk, want) {
			t.Errorf("%q: exit %d, %q, %q; want %q", args, status, out, talk, want)
		}
	}
	const huge = "9000000000000000000"
	for _, command := range []string{"pipeline", "flows", "scale"} {
		f(command+" --runs 0", "--runs is 0, not from 1 to 10000")
		f(command+" --runs "+huge, "--runs")
		f(command+" --runs 10001", "--runs is 10001, not from 1 to 10000")
	}
	f("pipeline --packets 0", "--packets is 0")
	f("pipeline --packets 1000000001", "--packets is 1000000001, not from 1 to 1000000000")
	f("scale --packets -1", "--packets is -1")
	f("flows --records 1000000001", "--records is 1000000001")
	f("pipeline --hostgroups 257", "--hostgroups is 257, not from 1 to 256")
	f("scale --cores 257", "--cores is 257")
	f("scale --tables 0", "--tables is 0")
	f("detect --phases "+huge, "--phases")
	f("detect --phases 10001", "--phases is 10001, not from 1 to 10000")
	f("detect --limit 1000000001", "--limit is 1000000001, not from 1 to 1000000000")
	f("detect --background 0", "--background is 0")
	f("detect --factor NaN", "--factor NaN")
	f("detect --workload W4", `"W4" is none of W1, W2, W3`)
	f("detect --workload=", "--workload is empty")
	f("detect --workload W1 --background 20000", "is a flood to the one host of W1")

	for _, list := range []string{
		"pipeline --workload=", "pipeline --stage=", "pipeline --memory=", "flows --workload=",
		"flows --stage=", "flows --memory=", "detect --family=",
	} {
		_, flag, _ := strings.Cut(list, " ")
		f(list, strings.TrimSuffix(flag, "=")+" is empty")
	}
	f("detect --factor=", "")
	f("pipeline --workload W1,", `find workload ""`)

	f("flows --workload W2", "none of F1, F2, ")
	f("flows --workload W2", "W2 is of packets: weir bench pipeline")
	f("pipeline --workload F1", "F1 is of flow records: weir bench flows")
	f("flows --cache -o go", "--cache")
	f("flows --cache --workload F1", "--workload has no meaning with --cache")
	f("flows --cache --runs 1", "--runs has no meaning with --cache")
}

func TestFindWorkloads(t *testing.T) {
	packets, err := findWorkloads([]string{"W2", all})
	if err != nil || len(packets) < 9 || packets[0].Name != "W2" || packets[1].Name != "W1" {
		t.Errorf("%d workloads of packets: %v", len(packets), err)
	}
	exports, err := findExports([]string{all})
	if err != nil || len(exports) < 5 || exports[0].Name != "F1" {
		t.Errorf("%d workloads of exports: %v", len(exports), err)
	}
}
