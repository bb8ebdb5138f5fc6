package bench

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCountSamples(t *testing.T) {
	var data []byte
	record := func(kind uint32, mode uint16, pid uint32, more int) {
		b := make([]byte, sampleRecord+more)
		binary.NativeEndian.PutUint32(b, kind)
		binary.NativeEndian.PutUint16(b[sampleMisc:], mode)
		binary.NativeEndian.PutUint16(b[sampleSize:], uint16(len(b)))
		binary.NativeEndian.PutUint32(b[samplePID:], pid)
		data = append(data, b...)
	}
	const kernel, user = 1, 2
	record(unix.PERF_RECORD_SAMPLE, kernel, 7, 0)
	record(unix.PERF_RECORD_SAMPLE, user, 7, 0)
	record(unix.PERF_RECORD_SAMPLE, user|1<<14, 7, 0)
	record(unix.PERF_RECORD_LOST, user, 7, 8)
	record(unix.PERF_RECORD_SAMPLE, user, 8, 0)
	record(unix.PERF_RECORD_SAMPLE, kernel, 9, 0)
	f := func(data []byte, wantAll, wantUser int) {
		t.Helper()
		all, own := countSamples(data, func(process, thread int) bool {
			return process != 8 && thread == 0
		})
		if all != wantAll || own != wantUser {
			t.Errorf("%d samples, %d of the program's own; not %d, %d", all, own, wantAll, wantUser)
		}
	}
	f(data, 4, 2)
	f(data[:len(data)-1], 3, 2)
	f(nil, 0, 0)
	f(make([]byte, 64), 0, 0) // records of no size
}
