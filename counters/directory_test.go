package counters

import (
	"math/rand/v2"
	"testing"
)

func newDirectory(t testing.TB, m *Memory, l *Layout) *Directory {
	t.Helper()
	d, err := NewDirectory(m, l, 12345)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func smallDirectory(t testing.TB) *Directory {
	l := newLayout(t, 1, "2001:db8::/48")
	l.Directory = minDirectory
	l.Slots = l.DirBase + 2*minDirectory
	return newDirectory(t, newMemory(t), l)
}

func TestDirectoryMatchesMap(t *testing.T) {
	d := smallDirectory(t)
	r := rand.New(rand.NewPCG(3, 4))
	listed := map[Key]uint32{}
	owner := map[uint32]Key{}
	for step := range 50000 {
		k := Key{0x20010db8 << 32, r.Uint64N(4000)}
		h := d.Hash(k)
		e, ok := d.Find(k, h)
		if want, in := listed[k]; ok != in || ok && e != want {
			t.Fatalf("step %d: Find = %d, %v; want %d, %v", step, e, ok, want, in)
		}
		if ok {
			continue
		}
		if e, ok, _ = d.Admit(k, h, 1, uint32(step/1000)); ok {
			if old, in := owner[e]; in {
				delete(listed, old)
			}
			owner[e], listed[k] = k, e
		}
	}
	if len(listed) < minDirectory*8/10 {
		t.Errorf("only %d of %d entries in use", len(listed), minDirectory)
	}
}

func TestAdmission(t *testing.T) {
	d := smallDirectory(t)
	r := rand.New(rand.NewPCG(3, 4))
	victim := Key{0x20010db8 << 32, 0xdead}
	listed, seen, admittedNoise := 0, 0, 0
	for range 1 << 20 { // a spray of random hosts; the victim has one packet in 2000
		k := Key{0x20010db8 << 32, r.Uint64()}
		if r.IntN(2000) == 0 {
			k = victim
			seen++
		}
		_, ok := d.Find(k, d.Hash(k))
		if !ok {
			_, ok, _ = d.Admit(k, d.Hash(k), admitNeed, 1)
		}
		if ok && k == victim && listed == 0 {
			listed = seen
		}
		if ok && k != victim {
			admittedNoise++
		}
	}
	if listed == 0 || listed > 2*admitNeed {
		t.Errorf("the victim was listed after %d packets, want about %d", listed, admitNeed)
	}
	if admittedNoise > 100 {
		t.Errorf("%d hosts of the spray were listed", admittedNoise)
	}
}

const admitNeed = 16

// TestNotAdmitted tells why hosts are not listed: for few packets, or because all entries of their
// bucket count in this epoch.
func TestNotAdmitted(t *testing.T) {
	d := smallDirectory(t)
	k := Key{0x20010db8 << 32, 1}
	for n := range admitNeed - 1 {
		if _, ok, full := d.Admit(k, d.Hash(k), admitNeed, 1); ok || full {
			t.Fatalf("packet %d: listed %v, full %v", n+1, ok, full)
		}
	}
	if _, ok, full := d.Admit(k, d.Hash(k), admitNeed, 1); !ok || full {
		t.Errorf("the packet that is enough: listed %v, full %v", ok, full)
	}
	listed, refused := 1, 0
	for i := range uint64(10 * minDirectory) {
		k := Key{0x20010db8 << 32, 2 + i}
		switch _, ok, full := d.Admit(k, d.Hash(k), 1, 1); {
		case ok:
			listed++
		case full:
			refused++
		}
	}
	if listed != minDirectory || refused != 9*minDirectory+1 {
		t.Errorf("%d of %d listed, %d refused for want of room", listed, minDirectory, refused)
	}
}

func TestEvictionSparesBusyHosts(t *testing.T) {
	d := smallDirectory(t)
	pinned, active, admitted := Key{1, 1}, Key{2, 2}, Key{2, 3}
	e, _, _ := d.Admit(pinned, d.Hash(pinned), 1, 1)
	d.Pin(e, 1)
	e, _, _ = d.Admit(active, d.Hash(active), 1, 1)
	d.Use(e, 2)
	d.Admit(admitted, d.Hash(admitted), 1, 2)
	spray := func(epoch uint32) {
		r := rand.New(rand.NewPCG(3, 4))
		for range 100000 {
			k := Key{3, r.Uint64()}
			d.Admit(k, d.Hash(k), 1, epoch)
		}
	}
	spray(2)
	for _, k := range []Key{pinned, active, admitted} {
		if _, ok := d.Find(k, d.Hash(k)); !ok {
			t.Errorf("%v was evicted", k)
		}
	}
	spray(2 + pinEpochs)
	for _, k := range []Key{pinned, active, admitted} {
		if _, ok := d.Find(k, d.Hash(k)); ok {
			t.Errorf("%v was kept although it is idle", k)
		}
	}
}
