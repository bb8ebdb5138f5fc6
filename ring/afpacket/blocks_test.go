package afpacket

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"weir/ring"
)

const testBlock = 4096

// packet is one packet as it is to lie in a block.
type packet struct {
	data []byte
	wire uint32
	tag  bool // a VLAN tag was taken out
	mac  uint16
}

// put32 writes a word of a head.
func put32(mem []byte, at int, v uint32) { binary.NativeEndian.PutUint32(mem[at:], v) }

// putBlock fills block i as the kernel does, and hands it over.
func putBlock(mem []byte, i int, packets []packet) {
	block := mem[i*testBlock : (i+1)*testBlock]
	clear(block)
	put32(block, blockStatus, ownedByUser)
	put32(block, blockCount, uint32(len(packets)))
	put32(block, blockFirst, blockHead)
	at := blockHead
	for n, p := range packets {
		size := (int(p.mac) + len(p.data) + 15) &^ 15
		next := uint32(size)
		if n == len(packets)-1 {
			next = 0
		}
		put32(block, at+packetNext, next)
		put32(block, at+packetCap, uint32(len(p.data)))
		put32(block, at+packetLen, p.wire)
		if p.tag {
			put32(block, at+packetStatus, ownedByUser|vlanValid)
		}
		binary.NativeEndian.PutUint16(block[at+packetMAC:], p.mac)
		copy(block[at+int(p.mac):], p.data)
		at += size
	}
}

// seen is what became of one packet.
type seen struct {
	data string
	wire uint32
}

// walk takes everything that is handed over, and the error that ends it.
func walk(t testing.TB, b *blocks) (all []seen, err error) {
	t.Helper()
	var batch ring.Batch
	for rounds := 0; ; rounds++ {
		if rounds > 2*len(b.mem)/packetHead {
			t.Fatal("walks without end")
		}
		if err := b.lend(&batch, 7); err != nil {
			if batch.N != 0 {
				t.Fatal("lends packets, and fails")
			}
			return all, err
		}
		for i := range batch.N {
			f := &batch.Frames[i]
			if f.Time != 7 || f.Link != linkEthernetTest || f.Wire < f.Cap {
				t.Fatalf("%+v", *f)
			}
			low, high := b.now*b.size, (b.now+1)*b.size
			if int(f.Off) < low+blockHead || int(f.Off)+int(f.Cap) > high {
				t.Fatalf("%+v outside of block %d", *f, b.now)
			}
			all = append(all, seen{string(batch.Data(i)), f.Wire})
		}
		open := b.open
		b.release()
		if batch.N == 0 && !open {
			return all, nil
		}
	}
}

const linkEthernetTest = 1

// twin reads the blocks packet by packet, with every offset checked against the whole block.
func twin(mem []byte) (all []seen, err error) {
	count := len(mem) / testBlock
	for i := range count {
		block := mem[i*testBlock : (i+1)*testBlock]
		word := func(at uint64) uint64 { return uint64(binary.NativeEndian.Uint32(block[at:])) }
		if word(blockStatus)&ownedByUser == 0 {
			return all, nil
		}
		packets, at := word(blockCount), word(blockFirst)
		if packets > testBlock/packetHead {
			return all, fmt.Errorf("too many")
		}
		for range packets {
			if at < blockHead || at+packetHead > testBlock {
				return all, fmt.Errorf("head outside")
			}
			captured, wire := word(at+packetCap), word(at+packetLen)
			from := at + uint64(binary.NativeEndian.Uint16(block[at+packetMAC:]))
			if from+captured > testBlock {
				return all, fmt.Errorf("bytes outside")
			}
			if word(at+packetStatus)&vlanValid != 0 {
				wire = (wire + vlanLength) & 0xffff_ffff
			}
			all = append(all, seen{
				string(block[from : from+captured]), uint32(max(wire, captured)),
			})
			at += word(at + packetNext)
		}
	}
	return all, nil
}

func compare(t testing.TB, mem []byte) error {
	t.Helper()
	want, wantErr := twin(mem)
	b := newBlocks(bytes.Clone(mem), testBlock, linkEthernetTest)
	got, err := walk(t, b)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("error %v, want %v", err, wantErr)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%d packets, want %d, or others", len(got), len(want))
	}
	return err
}

// randomBlocks fills some of the blocks with packets of any size.
func randomBlocks(r *rand.Rand, mem []byte) {
	clear(mem)
	for i := range 1 + r.IntN(len(mem)/testBlock) {
		var packets []packet
		for room := testBlock - blockHead; len(packets) < 1+r.IntN(80); {
			size := r.IntN(1 + r.IntN(1600))
			p := packet{
				data: make([]byte, size), wire: uint32(size + r.IntN(2)*r.IntN(9000)),
				tag: r.IntN(3) == 0, mac: uint16(packetHead + 16*r.IntN(3)),
			}
			for n := range p.data {
				p.data[n] = byte(r.Uint32())
			}
			if room -= (int(p.mac) + size + 15) &^ 15; room < 0 {
				break
			}
			packets = append(packets, p)
		}
		putBlock(mem, i, packets)
	}
}

func TestBlocksAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	mem := make([]byte, 4*testBlock)
	for range 2000 {
		randomBlocks(r, mem)
		if err := compare(t, mem); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHostileBlocks damages what the walker relies on, in heads above all.
func TestHostileBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	mem := make([]byte, 4*testBlock)
	refused := 0
	for range 5000 {
		randomBlocks(r, mem)
		for range 1 + r.IntN(3) {
			base := r.IntN(len(mem)/testBlock) * testBlock
			fields := []int{blockCount, blockFirst, blockHead + packetNext, blockHead + packetCap,
				blockHead + packetLen, blockHead + packetMAC, 4 * r.IntN(testBlock/4)}
			values := []uint32{0, 1, uint32(r.IntN(64)), uint32(r.IntN(testBlock * 2)), 1 << 31,
				1<<32 - 1, -uint32(1 + r.IntN(testBlock)), testBlock, testBlock - packetHead}
			put32(mem, base+fields[r.IntN(len(fields))], values[r.IntN(len(values))])
		}
		if compare(t, mem) != nil {
			refused++
		}
	}
	if refused < 1000 {
		t.Errorf("only %d of 5000 were refused", refused)
	}
}

func TestHostileBlocks_Named(t *testing.T) {
	two := []packet{
		{data: []byte("one"), wire: 3, mac: 48}, {data: []byte("two"), wire: 3, mac: 48},
	}
	const second = blockHead + 64
	for name, c := range map[string]struct {
		at    int
		value uint32
		lent  int // packets before the error
	}{
		"count":             {blockCount, testBlock/packetHead + 1, 0},
		"count of billions": {blockCount, 1<<32 - 1, 0},
		"first in head":     {blockFirst, blockHead - 16, 0},
		"first beyond":      {blockFirst, testBlock - packetHead + 1, 0},
		"next beyond":       {blockHead + packetNext, 1 << 31, 1},
		"length beyond":     {second + packetCap, testBlock - second - 47, 1},
		"length wraps":      {blockHead + packetCap, 1<<32 - 64, 0},
	} {
		mem := make([]byte, 2*testBlock)
		putBlock(mem, 0, two)
		put32(mem, c.at, c.value)
		got, err := walk(t, newBlocks(mem, testBlock, linkEthernetTest))
		if err == nil || len(got) != c.lent {
			t.Errorf("%s: %d lent, %v", name, len(got), err)
		}
		_ = compare(t, mem)
	}
	mem := make([]byte, 2*testBlock) // a packet that is its own successor ends by the count
	putBlock(mem, 0, two)
	put32(mem, blockHead+packetNext, 0)
	got, err := walk(t, newBlocks(mem, testBlock, linkEthernetTest))
	if err != nil || len(got) != 2 || got[1].data != "one" {
		t.Error(got, err)
	}
}

func TestVLANWire(t *testing.T) {
	mem := make([]byte, testBlock)
	putBlock(mem, 0, []packet{
		{data: make([]byte, 60), wire: 60, mac: 64},
		{data: make([]byte, 60), wire: 60, mac: 64, tag: true},
		{data: make([]byte, 60), wire: 1500, mac: 64, tag: true},
	})
	got, err := walk(t, newBlocks(mem, testBlock, linkEthernetTest))
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	if got[0].wire != 60 || got[1].wire != 64 || got[2].wire != 1504 {
		t.Error(got)
	}
}

// TestFill goes round the ring, with blocks handed over while others are in use.
func TestFill(t *testing.T) {
	const count = 4
	mem := make([]byte, count*testBlock)
	b := newBlocks(mem, testBlock, linkEthernetTest)
	many := slices.Repeat([]packet{{data: []byte("x"), wire: 1, mac: 48}}, ring.BurstSize/2+8)
	var batch ring.Batch
	for i := range 3 * count {
		at := func(n int) int { return (i + n) % count }
		putBlock(mem, at(0), many)
		putBlock(mem, at(1), many)
		if err := b.lend(&batch, 1); err != nil || batch.N != len(many) || batch.Fill != 50 {
			t.Fatal(err, batch.N, batch.Fill)
		}
		b.release()
		if b.ours(at(0)) || !b.ours(at(1)) {
			t.Fatal("not that block given back")
		}
		b.status(at(1)).Store(0) // the next round fills it anew
	}
}

func TestBlocksNoAllocs(t *testing.T) {
	mem := make([]byte, 4*testBlock)
	b := newBlocks(mem, testBlock, linkEthernetTest)
	var batch ring.Batch
	packets := slices.Repeat([]packet{{data: []byte("x"), wire: 1, mac: 48}}, 40)
	for i := range 4 {
		putBlock(mem, i, packets)
	}
	i := 0
	if n := testing.AllocsPerRun(100, func() {
		if err := b.lend(&batch, 1); err != nil || batch.N != len(packets) {
			t.Fatal(err, batch.N)
		}
		b.release()
		b.status(i % 4).Store(ownedByUser)
		i++
	}); n != 0 {
		t.Errorf("%v allocations per block", n)
	}
}

// FuzzBlocks puts any bytes where the kernel's would be, after a block's status.
func FuzzBlocks(f *testing.F) {
	mem := make([]byte, 2*testBlock)
	r := rand.New(rand.NewPCG(5, 6))
	for range 10 {
		randomBlocks(r, mem)
		f.Add(bytes.Clone(mem[:600]), uint16(testBlock))
		f.Add(bytes.Clone(mem[:200]), uint16(r.IntN(testBlock)))
	}
	f.Fuzz(func(t *testing.T, data []byte, second uint16) {
		mem := make([]byte, 2*testBlock)
		copy(mem, data)
		copy(mem[second:], data)
		put32(mem, blockStatus, ownedByUser)
		_ = compare(t, mem)
	})
}
