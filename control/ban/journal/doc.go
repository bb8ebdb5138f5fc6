// Package journal is the write-ahead log of the routes that weir has announced: what a weir that
// starts must know to go on where the last one ended, in whatever way that ended.
//
// An Intent is on the disk before the route is announced; a Withdrawn follows when it is gone, and
// waits for nobody. Each Open begins a new generation and a new file with what is still live.
//
// # The file
//
// A header of 40 bytes:
//
//	magic "weirjrnl" | version u32 | CRC32C of these 12 bytes | generation u64 |
//	number of the first record u64 | whole u32 | CRC32C of all before it
//
// whole is the size that the file had on the disk before it got its name: what is missing below
// it is no torn write. The first 16 bytes stay as they are in every version. Then come records:
//
//	length u32 | CRC32C of length and payload | payload: one JSON object and a newline
//
// All integers are big-endian, a record is at most MaxRecord bytes. A record says everything about
// its route, so the last one of a prefix is all that counts, and changes that wait for the disk
// are one per prefix at most. JSON because a file that was found bad is kept for people.
//
// # What is believed
//
// A route is restored only from an intact record. A file that ends within a record, or whose last
// record is bad with nothing intact behind it, is taken for a torn write: the tail is cut, and
// work goes on. It could also be a record that was whole once, and nothing can tell. Calling that
// damage would protect nobody (the routes before it are restored in either case) and would leave a
// network without its detector's answers after an ordinary loss of power. What it costs: a lost
// Intent's route is not announced again, and a route whose Withdrawn was lost comes back, at most
// until the lease of its last intact record ends.
//
// Everything else is damage: a bad record with intact ones behind it, a number that is missing, a
// length beyond the bound, a bad header, an end before whole. What precedes the damage is
// restored, less what is withdrawn by an intact record behind it: taking away is always safe. The
// file is kept as journal.bad-1, -2, …
//
// # Leases
//
// A lease has a length that counts from a stamp in both clocks. In the same boot the boot-time
// clock says what is left, which no clock step moves and which counts while the machine sleeps;
// after a reboot the wall clock does. What is left is never more than the length: a wall clock
// that went backwards gives at most the whole lease once more, and Open stamps anew what it
// restores, so that it does not do so again and again. A wall clock that leapt ahead ends leases
// early, which is the safe side.
package journal
