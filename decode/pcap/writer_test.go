package pcap

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// asPcapgo returns packets as pcapgo gives them: its link types have 8 bits.
func asPcapgo(packets []Packet) []Packet {
	all := slices.Clone(packets)
	for i := range all {
		all[i].Link &= 0xff
	}
	return all
}

// parsePcapgo reads a file with pcapgo.
func parsePcapgo(data []byte) ([]Packet, error) {
	var source interface {
		ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
	}
	var link func(gopacket.CaptureInfo) uint16
	if len(data) >= 4 && [4]byte(data) == sectionMagic {
		r, err := pcapgo.NewNgReader(bytes.NewReader(data),
			pcapgo.NgReaderOptions{WantMixedLinkType: true})
		if err != nil {
			return nil, err
		}
		source = r
		link = func(ci gopacket.CaptureInfo) uint16 {
			return uint16(ci.AncillaryData[0].(layers.LinkType))
		}
	} else {
		r, err := pcapgo.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		r.SetSnaplen(MaxFrame)
		source = r
		link = func(gopacket.CaptureInfo) uint16 { return uint16(r.LinkType()) }
	}
	var all []Packet
	for {
		data, ci, err := source.ReadPacketData()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		// Of a pcapng packet it lets the original length be less than what was captured.
		wire := uint32(max(ci.Length, len(data)))
		all = append(all, Packet{ci.Timestamp.UnixNano(), link(ci), wire, data})
	}
}

// randomPackets returns packets of the interfaces, in their turn.
func randomPackets(n int, ifaces []Interface) []Packet {
	rng := rand.New(rand.NewPCG(1, 2))
	all := make([]Packet, n)
	for i := range all {
		data := make([]byte, rng.IntN(100))
		for j := range data {
			data[j] = byte(rng.Uint32())
		}
		all[i] = Packet{
			Time: rng.Int64N(4e18), Link: ifaces[i%len(ifaces)].Link,
			Wire: uint32(len(data) + rng.IntN(2000)), Data: data,
		}
	}
	return all
}

var (
	testSection = Section{"incident 7", "4 cores", "linux", "weir"}
	testIfaces  = []Interface{{1, 256, "eth0"}, {276, 0, ""}, {101, 65535, "tun0, the long"}}
)

func write(t testing.TB, packets []Packet) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, testSection, testIfaces...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range packets {
		comment := strings.Repeat("c", i%6) // also none
		if err := w.Write(i%len(testIfaces), &packets[i], comment); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWriterRoundTrip(t *testing.T) {
	packets := randomPackets(300, testIfaces)
	packets[7].Data, packets[7].Wire = make([]byte, MaxFrame), MaxFrame
	data := write(t, packets)
	if !bytes.Equal(data, write(t, packets)) {
		t.Error("the same packets gave other bytes")
	}
	got, err := parse(data)
	if err != io.EOF || !samePackets(got, packets) {
		t.Errorf("Reader: %v, or other packets than written", err)
	}
	got, err = parsePcapgo(data)
	if err != nil || !samePackets(got, asPcapgo(packets)) {
		t.Errorf("pcapgo: %v, or other packets than written", err)
	}
	ng, err := pcapgo.NewNgReader(bytes.NewReader(data), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	info := ng.SectionInfo()
	if (Section{info.Comment, info.Hardware, info.OS, info.Application}) != testSection {
		t.Errorf("section reads %+v", info)
	}
	if first, _ := ng.Interface(0); first.Name != "eth0" || first.SnapLength != 256 {
		t.Errorf("interface reads %+v", first)
	}
}

// What pcapgo writes, we read.
func TestReaderOfPcapgoFiles(t *testing.T) {
	want := randomPackets(50, testIfaces[:1])
	var out bytes.Buffer
	w, err := pcapgo.NewNgWriter(&out, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range want {
		ci := gopacket.CaptureInfo{
			Timestamp: timeOf(p), CaptureLength: len(p.Data), Length: int(p.Wire),
		}
		if err := w.WritePacket(ci, p.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, err := parse(out.Bytes()); err != io.EOF || !samePackets(got, want) {
		t.Errorf("%v, or other packets than pcapgo wrote", err)
	}
}

// tshark sees packets, times, lengths and comments as they were written.
func TestWriterTshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skipf("no tshark: %v", err)
	}
	path := filepath.Join(t.TempDir(), "w.pcapng")
	data := write(t, []Packet{
		{Time: 1700000000_123456789, Wire: 99, Data: make([]byte, 61)},
		{Time: 1700000001_000000001, Wire: 40, Data: make([]byte, 40)},
	})
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tshark, "-r", path, "-T", "fields", "-e", "frame.time_epoch",
		"-e", "frame.len", "-e", "frame.cap_len", "-e", "frame.interface_id",
		"-e", "frame.comment").Output()
	want := "1700000000.123456789\t99\t61\t0\t\n1700000001.000000001\t40\t40\t1\tc\n"
	if err != nil || string(out) != want {
		t.Errorf("tshark: %v, prints %q, want %q", err, out, want)
	}
}

func TestWriterFailure(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, Section{}, Interface{Link: 1})
	if err != nil {
		t.Fatal(err)
	}
	f := func(id int, p Packet, comment string, want string) {
		t.Helper()
		if err := w.Write(id, &p, comment); err == nil || err.Error() != "write packet: "+want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f(1, Packet{}, "", "interface 1 of 1")
	f(-1, Packet{}, "", "interface -1 of 1")
	f(0, Packet{Time: -1}, "", "time -1 is before 1970")
	f(0, Packet{Data: make([]byte, 2), Wire: 1}, "",
		"2 captured bytes of 1 on the wire, at most 262144")
	f(0, Packet{Data: make([]byte, MaxFrame+1), Wire: MaxFrame + 1}, "",
		"262145 captured bytes of 262145 on the wire, at most 262144")
	f(0, Packet{}, strings.Repeat("c", 65536), "option 1: text of 65536 bytes is over 65535")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, err := parse(out.Bytes()); len(got) != 0 || err != io.EOF {
		t.Errorf("refused packets left %d packets and %v", len(got), err)
	}
	if _, err := NewWriter(&out, Section{Comment: strings.Repeat("c", 65536)}); err == nil {
		t.Error("a section comment of 65536 bytes is no error")
	}
	if _, err := w.AddInterface(Interface{Name: strings.Repeat("c", 65536)}); err == nil {
		t.Error("an interface name of 65536 bytes is no error")
	}
}

func TestWriterReportsTheDisk(t *testing.T) {
	w, err := NewWriter(fullDisk{}, Section{}, Interface{Link: 1})
	if err != nil {
		t.Fatal(err)
	}
	p := Packet{Data: make([]byte, 5000), Wire: 5000}
	if err := w.Write(0, &p, ""); !errors.Is(err, errFull) {
		t.Errorf("Write: %v", err)
	}
	if err := w.Flush(); !errors.Is(err, errFull) {
		t.Errorf("Flush: %v", err)
	}
}

var errFull = errors.New("no space left")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
