package decode

// Status says why a frame or a record was not understood to its end; OK when it was. Each has
// its counter: the names are those of metrics and of JSON.
type Status uint8

// The statuses, in the order of statusNames. A frame may have addresses (Record.Version != 0)
// and a Status other than OK, when the damage lies behind a readable IP header; and it may be OK
// without addresses, when an encapsulation that stays closed comes before any IP header.
const (
	OK          Status = iota
	Truncated          // the captured bytes end inside a header
	BadLength          // a length field contradicts another, or the bytes on the wire
	BadHeader          // a version or fixed field has a value that its standard forbids
	NotIP              // readable, but no IP inside: ARP, LLDP, STP, PPP control, …
	TooDeep            // more tags, tunnels or extension headers than we follow
	UnknownLink        // the link type is not one that we read
	NumStatus
)

var statusNames = [NumStatus]string{
	"ok", "truncated", "bad_length", "bad_header", "not_ip", "too_deep", "unknown_link",
}

// String returns the name used in metrics and JSON.
func (s Status) String() string { return statusNames[s] }
